#include "weights/hdf5_header.h"

#include <algorithm>

#include "core/error.h"

namespace tessera {

namespace {

struct Block {
  std::uint64_t offset, length;
};

// Lengths that libhdf5 assumes when it loads a header.
void expect_sound_message(const HeaderMessage& message) {
  const Hdf5Bytes bytes = message.bytes;
  if (message.type == kReferencesMessage) part(bytes, 0, 5);
  if (message.type == kAttributeInfoMessage) {
    const std::uint64_t flags = number(bytes, 1, 1);
    part(bytes, 0, 18 + ((flags & 1U) != 0 ? 2U : 0U) + ((flags & 2U) != 0 ? 8U : 0U));
  }
}

// The messages of one block. Continuations are added to `blocks`.
void read_messages(Hdf5Bytes bytes, std::size_t prefix, bool newer, std::vector<Block>& blocks,
                   std::vector<HeaderMessage>& messages) {
  constexpr std::uint64_t kSharedFlag = 2;
  const std::size_t width = newer ? 1 : 2;  // of the type
  // Where anything is left at all, libhdf5 reads the beginning of a message.
  if (!bytes.empty() && bytes.size() < prefix) refuse_header();
  std::size_t at = 0;
  while (bytes.size() - at >= prefix) {
    const std::uint64_t length = number(bytes, at + width, 2);
    HeaderMessage message{
        .type = number(bytes, at, width), .shared = (number(bytes, at + width + 2, 1) & kSharedFlag) != 0, .bytes = {}};
    at += prefix;
    const Hdf5Bytes text = part(bytes, at, length);
    message.bytes.assign(text.begin(), text.end());
    at += length;
    expect_sound_message(message);
    if (message.type == kContinuationMessage) {
      if (message.shared) refuse_header();
      blocks.push_back({number(message.bytes, 0, 8), number(message.bytes, 8, 8)});
    }
    messages.push_back(std::move(message));
  }
}

}  // namespace

std::vector<HeaderMessage> read_header(const InputFile& file, std::uint64_t address) {
  constexpr std::uint64_t kFirstRead = 64;
  constexpr std::size_t kMostBlocks = 64, kOldPrefix = 8, kChecksum = 4;
  if (address >= file.bytes()) refuse_header();
  const std::vector<std::byte> head = read_block(file, address, std::min(file.bytes() - address, kFirstRead));
  const bool newer = starts_with(head, "OHDR");
  std::size_t prefix = kOldPrefix;
  std::vector<Block> blocks;
  if (newer) {
    const std::uint64_t flags = number(head, 5, 1);
    const std::size_t width = std::size_t{1} << (flags & 3U);
    const std::size_t at = 6 + ((flags & 0x20U) != 0 ? 16 : 0) + ((flags & 0x10U) != 0 ? 4 : 0);
    prefix = (flags & 4U) != 0 ? 6 : 4;
    const std::uint64_t length = number(head, at, width);
    if (length > file.bytes()) refuse_header();
    read_block(file, address + at + width + length, kChecksum);
    blocks.push_back({address + at + width, length});
  } else {
    if (number(head, 0, 1) != 1) refuse_header();
    part(head, 0, 16);
    blocks.push_back({address + 16, number(head, 8, 4)});
  }
  std::vector<HeaderMessage> messages;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    if (i == kMostBlocks) refuse_header();
    const std::vector<std::byte> block = read_block(file, blocks[i].offset, blocks[i].length);
    Hdf5Bytes text = block;
    if (newer && i > 0) {
      if (text.size() < 4 + kChecksum) refuse_header();
      expect_signature(text, "OCHK");
      text = text.subspan(4, text.size() - 4 - kChecksum);
    }
    read_messages(text, prefix, newer, blocks, messages);
  }
  return messages;
}

}  // namespace tessera
