#pragma once

#include <string>

namespace tessera {

// "1:02:03": hours, minutes and seconds, rounded to the second. A negative number gives "0:00:00".
std::string clock_text(double seconds);

}  // namespace tessera
