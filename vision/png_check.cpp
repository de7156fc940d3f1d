#include "vision/png_check.h"

#include <array>
#include <cstdint>
#include <string_view>

#include "core/error.h"

namespace tessera {

namespace {

constexpr std::array<std::uint32_t, 256> kCrcTable = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    std::uint32_t remainder = i;
    for (int bit = 0; bit < 8; ++bit) remainder = (remainder >> 1) ^ (remainder % 2 != 0 ? 0xEDB88320U : 0U);
    table[i] = remainder;
  }
  return table;
}();

std::uint32_t crc32(std::span<const std::byte> bytes) {
  std::uint32_t remainder = 0xFFFFFFFFU;
  for (const std::byte byte : bytes) {
    remainder = (remainder >> 8) ^ kCrcTable[(remainder ^ std::to_integer<std::uint32_t>(byte)) & 0xFFU];
  }
  return ~remainder;
}

std::uint32_t big_endian(std::span<const std::byte> bytes) {
  std::uint32_t value = 0;
  for (const std::byte byte : bytes.first(4)) value = (value << 8) | std::to_integer<std::uint32_t>(byte);
  return value;
}

}  // namespace

void check_png(std::span<const std::byte> bytes, const std::string& name) {
  constexpr std::size_t kSignature = 8, kLength = 4, kKind = 4, kCrc = 4;
  const auto fail = [&](const std::string& reason) { throw InputError(name + ": damaged PNG (" + reason + ")"); };
  bool first = true;
  for (std::span<const std::byte> rest = bytes.subspan(kSignature);; first = false) {
    if (rest.size() < kLength + kKind + kCrc) fail("the file ends before the IEND chunk");
    const std::size_t length = big_endian(rest);
    if (length > rest.size() - (kLength + kKind + kCrc)) fail("a chunk reaches beyond the end of the file");
    const std::span<const std::byte> kind_and_data = rest.subspan(kLength, kKind + length);
    const std::string_view kind(reinterpret_cast<const char*>(kind_and_data.data()), kKind);
    if (crc32(kind_and_data) != big_endian(rest.subspan(kLength + kKind + length))) fail("wrong checksum of a chunk");
    if (first && kind != "IHDR") fail("the first chunk is not IHDR");
    if (kind == "IEND") return;
    rest = rest.subspan(kLength + kKind + length + kCrc);
  }
}

}  // namespace tessera
