#include "weights/hdf5_bytes.h"

#include "core/error.h"
#include "weights/hdf5_chunk.h"

namespace tessera {

void refuse_header() { throw ModelFileError("its header is damaged"); }

std::vector<std::byte> read_block(const InputFile& file, std::uint64_t offset, std::uint64_t length) {
  constexpr std::uint64_t kLongest = std::uint64_t{1} << 24;
  if (length > kLongest || length > file.bytes() || offset > file.bytes() - length) refuse_header();
  std::vector<std::byte> bytes(length);
  read_exactly(file.descriptor(), offset, bytes);
  return bytes;
}

Hdf5Bytes part(Hdf5Bytes bytes, std::uint64_t at, std::uint64_t length) {
  if (at > bytes.size() || length > bytes.size() - at) refuse_header();
  return bytes.subspan(at, length);
}

std::uint64_t number(Hdf5Bytes bytes, std::uint64_t at, std::size_t width) {
  std::uint64_t value = 0;
  std::size_t shift = 0;
  for (const std::byte byte : part(bytes, at, width)) {
    value |= std::to_integer<std::uint64_t>(byte) << shift;
    shift += 8;
  }
  return value;
}

bool starts_with(Hdf5Bytes bytes, std::string_view text) {
  if (bytes.size() < text.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (std::to_integer<char>(bytes[i]) != text[i]) return false;
  }
  return true;
}

void expect_signature(Hdf5Bytes bytes, std::string_view signature) {
  if (!starts_with(bytes, signature)) refuse_header();
}

}  // namespace tessera
