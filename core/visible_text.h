#pragma once
// Text from outside (names of files, classes, layers) as it may be shown on a terminal.

#include <string>
#include <string_view>

namespace tessera {

// Control characters but for line ends and tabs as \x1b (C0, DEL, C1), bytes that are no UTF-8 likewise; all other
// text as it is. What a terminal would obey (colours, titles, moving the cursor) becomes text that can be read.
std::string visible_text(std::string_view text);

}  // namespace tessera
