#pragma once
// Lines as a log has them, for fuzzers that know no CRC-32.

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <string>
#include <string_view>

namespace tessera {

inline std::string with_checksums(std::string_view text) {
  std::string lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    lines += fmt::format("{:08x} {}\n", ::crc32_z(0, reinterpret_cast<const Bytef*>(line.data()), line.size()), line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

}  // namespace tessera
