#include "weights/hdf5_groups.h"

#include <algorithm>

#include "core/error.h"

namespace tessera {

namespace {

constexpr std::size_t kMostNodes = 1 << 16;

void put(Hdf5LinkMap& links, std::string name, Hdf5Link link) {
  if (name.empty() || name.find('/') != std::string::npos) refuse_header();
  if (!links.emplace(std::move(name), link).second) throw ModelFileError("has two links of one name");
}

// The names of a group in the older format: a block of texts that end with a zero.
class LocalHeap {
 public:
  LocalHeap(const InputFile& file, std::uint64_t address) {
    const std::vector<std::byte> head = read_block(file, address, 32);
    expect_signature(head, "HEAP");
    names_ = read_block(file, number(head, 24, 8), number(head, 8, 8));
    check_free_blocks(number(head, 16, 8));
  }

  std::string name(std::uint64_t at) const {
    const Hdf5Bytes rest = part(names_, at, names_.size() - std::min<std::uint64_t>(at, names_.size()));
    const auto end = std::ranges::find(rest, std::byte{0});
    if (end == rest.end()) refuse_header();
    return {reinterpret_cast<const char*>(rest.data()), static_cast<std::size_t>(end - rest.begin())};
  }

 private:
  // Checked because libhdf5 follows the list of free blocks when it opens a group.
  void check_free_blocks(std::uint64_t at) const {
    constexpr std::uint64_t kEnd = 1, kBlock = 16;
    for (std::size_t i = 0; at != kEnd; ++i) {
      if (i > names_.size() / kBlock) refuse_header();
      const std::uint64_t bytes = number(names_, at + 8, 8);
      if (bytes < kBlock) refuse_header();
      part(names_, at, bytes);
      at = number(names_, at, 8);
    }
  }

  std::vector<std::byte> names_;
};

void read_symbols(const InputFile& file, std::uint64_t address, const LocalHeap& heap, Hdf5LinkMap& links) {
  constexpr std::uint64_t kHead = 8, kEntry = 40, kSoftLink = 2;
  const std::vector<std::byte> head = read_block(file, address, kHead);
  expect_signature(head, "SNOD");
  const std::vector<std::byte> entries = read_block(file, address + kHead, number(head, 6, 2) * kEntry);
  for (std::uint64_t at = 0; at < entries.size(); at += kEntry) {
    put(links, heap.name(number(entries, at, 8)),
        {.hard = number(entries, at + 16, 4) != kSoftLink, .address = number(entries, at + 8, 8)});
  }
}

void read_symbol_table(const InputFile& file, std::uint64_t tree, std::uint64_t heap_address, Hdf5LinkMap& links) {
  constexpr std::uint64_t kHead = 24, kKey = 8;
  struct Node {
    std::uint64_t address;
    std::uint64_t level;
  };
  const LocalHeap heap(file, heap_address);
  std::vector<Node> nodes{{tree, number(read_block(file, tree, kHead), 5, 1)}};
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (i == kMostNodes) refuse_header();
    const Node node = nodes[i];
    const std::vector<std::byte> head = read_block(file, node.address, kHead);
    expect_signature(head, "TREE");
    if (number(head, 4, 1) != 0 || number(head, 5, 1) != node.level) refuse_header();
    const std::uint64_t used = number(head, 6, 2);
    const std::vector<std::byte> entries = read_block(file, node.address + kHead, used * (kKey + 8) + kKey);
    for (std::uint64_t child = 0; child < used; ++child) {
      const std::uint64_t address = number(entries, child * (kKey + 8) + kKey, 8);
      if (node.level > 0) {
        nodes.push_back({address, node.level - 1});
      } else {
        read_symbols(file, address, heap, links);
      }
    }
  }
}

}  // namespace

void read_link(Hdf5Bytes message, Hdf5LinkMap& links) {
  constexpr std::uint64_t kHard = 0;
  if (number(message, 0, 1) != 1) refuse_header();
  const std::uint64_t flags = number(message, 1, 1);
  std::uint64_t at = 2, kind = kHard;
  if ((flags & 8U) != 0) kind = number(message, at++, 1);
  if ((flags & 4U) != 0) at += 8;   // when it was made
  if ((flags & 16U) != 0) at += 1;  // the name's character set
  const std::size_t width = std::size_t{1} << (flags & 3U);
  const std::uint64_t length = number(message, at, width);
  const Hdf5Bytes name = part(message, at + width, length);
  if (std::ranges::find(name, std::byte{0}) != name.end()) refuse_header();
  Hdf5Link link{.hard = kind == kHard, .address = 0};
  if (link.hard) link.address = number(message, at + width + length, 8);
  put(links, {reinterpret_cast<const char*>(name.data()), name.size()}, link);
}

Hdf5LinkMap read_links(const InputFile& file, const std::vector<HeaderMessage>& header) {
  Hdf5LinkMap links;
  bool group = false;
  for (const HeaderMessage& message : header) {
    const Hdf5Bytes bytes = message.bytes;
    const bool read = message.type == kGroupMessage || message.type == kLinkInfoMessage || message.type == kLinkMessage;
    if (read && message.shared) refuse_header();
    if (message.type == kGroupMessage) {
      read_symbol_table(file, number(bytes, 0, 8), number(bytes, 8, 8), links);
    } else if (message.type == kLinkInfoMessage) {
      const std::uint64_t flags = number(bytes, 1, 1);
      const std::uint64_t at = 2 + ((flags & 1U) != 0 ? 8U : 0U);
      const std::uint64_t heap = number(bytes, at, 8), tree = number(bytes, at + 8, 8);
      if ((flags & 2U) != 0) part(bytes, at + 16, 8);
      if (heap != kNoAddress) read_dense_links(file, heap, tree, links);
    } else if (message.type == kLinkMessage) {
      read_link(bytes, links);
    }
    group = group || message.type == kGroupMessage || message.type == kLinkInfoMessage;
  }
  if (!group) throw ModelFileError("is not a group, or is damaged");
  return links;
}

}  // namespace tessera
