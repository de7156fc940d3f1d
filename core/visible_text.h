#pragma once
// Makes text from outside (names of files, classes, layers) safe to show on a terminal.

#include <string>
#include <string_view>

namespace tessera {

// Writes control characters (C0, DEL, C1) except line ends and tabs as \x1b, and bytes that are not UTF-8 likewise;
// leaves all other text unchanged. So escape sequences that a terminal would obey (colours, titles, moving the cursor)
// become readable text.
std::string visible_text(std::string_view text);

}  // namespace tessera
