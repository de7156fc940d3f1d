#include "weights/hdf5_guard.h"

#include <algorithm>
#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "weights/hdf5_chunk.h"

namespace tessera {

namespace {

using Bytes = std::span<const std::byte>;

struct Block {
  std::uint64_t offset, length;
};

[[noreturn]] void refuse() { throw ModelFileError("its header is damaged"); }

// `width` bytes at `at`, least significant first.
std::uint64_t number(Bytes bytes, std::size_t at, std::size_t width) {
  if (at > bytes.size() || bytes.size() - at < width) refuse();
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < width; ++i) value |= std::to_integer<std::uint64_t>(bytes[at + i]) << (8 * i);
  return value;
}

bool starts_with(Bytes bytes, std::string_view text) {
  if (bytes.size() < text.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (std::to_integer<char>(bytes[i]) != text[i]) return false;
  }
  return true;
}

std::vector<std::byte> read_block(int descriptor, std::uint64_t file_bytes, Block block) {
  constexpr std::uint64_t kLongest = 1 << 20;
  if (block.length > kLongest || block.length > file_bytes || block.offset > file_bytes - block.length) refuse();
  std::vector<std::byte> bytes(block.length);
  read_exactly(descriptor, block.offset, bytes);
  return bytes;
}

// A data layout message: no chunk dimension may be zero.
void check_layout(Bytes message) {
  constexpr std::uint64_t kChunked = 2;
  const std::uint64_t version = number(message, 0, 1);
  std::size_t rank_at = 2, first = 11, width = 4;  // version 3: version, class, rank, address, dimensions
  std::uint64_t kind = 0;
  if (version == 1 || version == 2) {
    kind = number(message, 2, 1);  // version, rank, class, reserved, address, dimensions
    rank_at = 1;
    first = 16;
  } else if (version == 3) {
    kind = number(message, 1, 1);
  } else if (version == 4) {
    kind = number(message, 1, 1);  // version, class, flags, rank, width of a dimension, dimensions
    rank_at = 3;
    first = 5;
    if (kind == kChunked) width = number(message, 4, 1);
  } else {
    return;  // libhdf5 1.10 refuses others; later ones have the check themselves
  }
  if (kind != kChunked) return;
  constexpr std::uint64_t kMostDimensions = 33;
  const std::uint64_t rank = number(message, rank_at, 1);
  if (rank < 2 || rank > kMostDimensions || width < 1 || width > 8) refuse();
  for (std::uint64_t i = 0; i < rank; ++i) {
    if (number(message, first + i * width, width) == 0) throw ModelFileError("has chunks without elements");
  }
}

// The messages of one block of a header. Continuations are added to `blocks`.
void check_messages(Bytes bytes, std::size_t prefix, bool type_is_wide, std::vector<Block>& blocks) {
  constexpr std::uint64_t kLayout = 8, kContinuation = 16;
  std::size_t at = 0;
  while (bytes.size() - at >= prefix) {
    const std::uint64_t type = number(bytes, at, type_is_wide ? 2 : 1);
    const std::uint64_t length = number(bytes, at + (type_is_wide ? 2 : 1), 2);
    at += prefix;
    if (length > bytes.size() - at) refuse();
    const Bytes message = bytes.subspan(at, length);
    if (type == kLayout) check_layout(message);
    if (type == kContinuation) blocks.push_back({number(message, 0, 8), number(message, 8, 8)});
    at += length;
  }
}

}  // namespace

void expect_usual_superblock(int descriptor, std::uint64_t file_bytes) {
  constexpr std::uint64_t kLength = 16;
  if (file_bytes < kLength) throw ModelFileError("is not an HDF5 file, or is cut off");
  const std::vector<std::byte> bytes = read_block(descriptor, file_bytes, {0, kLength});
  if (!starts_with(bytes, "\x89HDF\r\n\x1a\n")) throw ModelFileError("is not an HDF5 file, or is cut off");
  const std::size_t sizes = number(bytes, 8, 1) < 2 ? 13 : 9;  // by the superblock's version
  if (number(bytes, sizes, 1) != 8 || number(bytes, sizes + 1, 1) != 8) {
    throw ModelFileError("its superblock is damaged, or has other than 8-byte offsets");
  }
}

void expect_sound_layout(int descriptor, std::uint64_t file_bytes, std::uint64_t address) {
  constexpr std::uint64_t kFirstRead = 64;
  constexpr std::size_t kMostBlocks = 64;
  constexpr std::size_t kOldPrefix = 8, kChecksum = 4;
  if (address >= file_bytes) refuse();
  const std::uint64_t room = file_bytes - address;
  const std::vector<std::byte> head = read_block(descriptor, file_bytes, {address, std::min(room, kFirstRead)});
  const bool newer = starts_with(head, "OHDR");
  std::size_t prefix = kOldPrefix;
  std::vector<Block> blocks;
  if (newer) {
    const std::uint64_t flags = number(head, 5, 1);
    const std::size_t width = std::size_t{1} << (flags & 3U);
    const std::size_t at = 6 + ((flags & 0x20U) != 0 ? 16 : 0) + ((flags & 0x10U) != 0 ? 4 : 0);
    prefix = (flags & 4U) != 0 ? 6 : 4;
    blocks.push_back({address + at + width, number(head, at, width)});
  } else {
    blocks.push_back({address + 16, number(head, 8, 4)});
  }
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    if (i == kMostBlocks) refuse();
    const std::vector<std::byte> block = read_block(descriptor, file_bytes, blocks[i]);
    Bytes messages = block;
    if (newer && i > 0) {
      if (!starts_with(messages, "OCHK") || messages.size() < 4 + kChecksum) refuse();
      messages = messages.subspan(4, messages.size() - 4 - kChecksum);
    }
    check_messages(messages, prefix, !newer, blocks);
  }
}

}  // namespace tessera
