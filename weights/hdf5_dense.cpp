// Groups of many links in the newer format: a fractal heap, which holds the links, and a B-tree of version 2, which
// holds their places in the heap in the order of the names' hashes.
//
// Format: https://docs.hdfgroup.org/hdf5/develop/_f_m_t3.html, sections III.A.2 and III.G.

#include <algorithm>
#include <bit>

#include "core/error.h"
#include "weights/hdf5_groups.h"

namespace tessera {

namespace {

constexpr int kDeepest = 16;

// Blocks of a heap lie in rows of `width` blocks. Those of the first two rows are `start` bytes long, each further
// row's twice as long as the one before; beyond the longest direct block, each is an indirect block with rows of its
// own.
class FractalHeap {
 public:
  FractalHeap(const InputFile& file, std::uint64_t address) : file_(file), address_(address) {
    const std::vector<std::byte> head = read_block(file, address, 142);
    expect_signature(head, "FRHP");
    const bool filtered = number(head, 7, 2) != 0;
    checksums_ = (number(head, 9, 1) & 2U) != 0;
    const std::uint64_t longest_object = number(head, 10, 4);
    width_ = number(head, 110, 2);
    start_ = number(head, 112, 8);
    longest_ = number(head, 120, 8);
    const std::uint64_t bits = number(head, 128, 2);
    root_ = number(head, 132, 8);
    root_rows_ = number(head, 140, 2);
    constexpr std::uint64_t kLongest = 1 << 24;
    if (filtered || width_ == 0 || !std::has_single_bit(width_) || !std::has_single_bit(start_) ||
        !std::has_single_bit(longest_) || longest_ < start_ || longest_ > kLongest || bits == 0 || bits > 64) {
      refuse_header();
    }
    offset_bytes_ = static_cast<std::size_t>((bits + 7) / 8);
    const std::uint64_t longest_bits = static_cast<std::uint64_t>(std::bit_width(longest_)) - 1;
    length_bytes_ = static_cast<std::size_t>(std::min((longest_bits + 7) / 8, width_of(longest_object)));
    if (length_bytes_ == 0) refuse_header();
  }

  // The link that an identifier of 7 bytes stands for.
  std::vector<std::byte> object(Hdf5Bytes identifier) const {
    if ((number(identifier, 0, 1) & 0xF0U) != 0) refuse_header();  // not a managed object of version 0
    const std::uint64_t at = number(identifier, 1, offset_bytes_);
    const std::uint64_t length = number(identifier, 1 + offset_bytes_, length_bytes_);
    const auto [address, begin, bytes] = root_rows_ == 0 ? Place{root_, 0, start_} : find(root_, root_rows_, 0, at, 0);
    if (at < begin || at - begin >= bytes || length > bytes - (at - begin)) refuse_header();
    check_direct(address, begin);
    return read_block(file_, address + (at - begin), length);
  }

 private:
  struct Place {
    std::uint64_t address, begin, bytes;  // of a direct block; `begin` in the heap
  };

  std::uint64_t row_bytes(std::uint64_t row) const {
    if (row > 40) refuse_header();
    return row < 2 ? start_ : start_ << (row - 1);
  }

  void check_direct(std::uint64_t address, std::uint64_t begin) const {
    const std::vector<std::byte> head = read_block(file_, address, 13 + offset_bytes_ + (checksums_ ? 4 : 0));
    expect_signature(head, "FHDB");
    if (number(head, 5, 8) != address_ || number(head, 13, offset_bytes_) != begin) refuse_header();
  }

  // The direct block with the heap's byte `at`, below the indirect block at `address`, which begins at `begin`.
  Place find(std::uint64_t address, std::uint64_t rows, std::uint64_t begin, std::uint64_t at, int depth) const {
    if (depth > kDeepest || rows == 0 || rows > 64 || at < begin) refuse_header();
    const std::uint64_t head_bytes = 13 + offset_bytes_;
    const std::vector<std::byte> block = read_block(file_, address, head_bytes + rows * width_ * 8 + 4);
    expect_signature(block, "FHIB");
    if (number(block, 5, 8) != address_ || number(block, 13, offset_bytes_) != begin) refuse_header();
    std::uint64_t row_begin = begin;
    for (std::uint64_t row = 0; row < rows; ++row) {
      const std::uint64_t bytes = row_bytes(row);
      if (at - row_begin >= bytes * width_) {
        row_begin += bytes * width_;
        continue;
      }
      const std::uint64_t column = (at - row_begin) / bytes;
      const std::uint64_t child = number(block, head_bytes + (row * width_ + column) * 8, 8);
      const std::uint64_t child_begin = row_begin + column * bytes;
      if (bytes <= longest_) return {child, child_begin, bytes};
      return find(child, rows_within(bytes), child_begin, at, depth + 1);
    }
    refuse_header();
  }

  // The number of rows of an indirect block that covers so many bytes of the heap.
  std::uint64_t rows_within(std::uint64_t bytes) const {
    const std::uint64_t rows = static_cast<std::uint64_t>(std::bit_width(bytes) - std::bit_width(start_ * width_)) + 1;
    if (bytes < start_ * width_) refuse_header();
    return rows;
  }

  const InputFile& file_;
  std::uint64_t address_;
  std::uint64_t width_ = 0, start_ = 0, longest_ = 0, root_ = 0, root_rows_ = 0;
  std::size_t offset_bytes_ = 0, length_bytes_ = 0;
  bool checksums_ = false;
};

class NameTree {
 public:
  NameTree(const InputFile& file, std::uint64_t address, const FractalHeap& heap, Hdf5LinkMap& links)
      : file_(file), heap_(heap), links_(links) {
    constexpr std::uint64_t kNames = 5, kLongestNode = 1 << 20;
    const std::vector<std::byte> head = read_block(file, address, 38);
    expect_signature(head, "BTHD");
    node_bytes_ = number(head, 6, 4);
    record_bytes_ = number(head, 10, 2);
    const std::uint64_t depth = number(head, 12, 2), root = number(head, 16, 8), records = number(head, 24, 2);
    if (number(head, 5, 1) != kNames || record_bytes_ != kRecord || node_bytes_ > kLongestNode ||
        depth > static_cast<std::uint64_t>(kDeepest) || node_bytes_ < kOverhead + kRecord) {
      refuse_header();
    }
    if (root == kNoAddress) return;
    most_.push_back((node_bytes_ - kOverhead) / record_bytes_);
    all_.push_back(most_[0]);
    for (std::uint64_t level = 1; level <= depth; ++level) {
      const std::uint64_t pointer = pointer_bytes(level);
      if (node_bytes_ < kOverhead + pointer) refuse_header();
      most_.push_back((node_bytes_ - kOverhead - pointer) / (record_bytes_ + pointer));
      std::uint64_t all = 0;
      if (__builtin_mul_overflow(most_.back() + 1, all_.back(), &all) ||
          __builtin_add_overflow(all, most_.back(), &all)) {
        refuse_header();
      }
      all_.push_back(all);
    }
    read_node(root, records, depth);
  }

 private:
  static constexpr std::uint64_t kOverhead = 10, kRecord = 11, kHash = 4, kFirst = 6;
  static constexpr std::size_t kMostNodes = 1 << 16;

  // What an internal node says of a child: its address, its records and, above the lowest, those below it.
  std::uint64_t pointer_bytes(std::uint64_t level) const {
    return 8 + width_of(most_[0]) + (level > 1 ? width_of(all_[level - 1]) : 0);
  }

  void read_node(std::uint64_t address, std::uint64_t records, std::uint64_t level) {
    if (++nodes_ > kMostNodes || records > most_[level]) refuse_header();
    const std::vector<std::byte> node = read_block(file_, address, node_bytes_);
    expect_signature(node, level == 0 ? "BTLF" : "BTIN");
    for (std::uint64_t i = 0; i < records; ++i) {
      const std::vector<std::byte> link = heap_.object(part(node, kFirst + i * record_bytes_ + kHash, kRecord - kHash));
      read_link(link, links_);
    }
    if (level == 0) return;
    std::uint64_t at = kFirst + records * record_bytes_;
    for (std::uint64_t child = 0; child <= records; ++child) {
      const std::uint64_t below = number(node, at + 8, static_cast<std::size_t>(width_of(most_[0])));
      read_node(number(node, at, 8), below, level - 1);
      at += pointer_bytes(level);
    }
  }

  const InputFile& file_;
  const FractalHeap& heap_;
  Hdf5LinkMap& links_;
  std::uint64_t node_bytes_ = 0, record_bytes_ = 0;
  std::vector<std::uint64_t> most_, all_;  // by level: records of a node, and of it with all below it
  std::size_t nodes_ = 0;
};

}  // namespace

void read_dense_links(const InputFile& file, std::uint64_t heap_address, std::uint64_t tree, Hdf5LinkMap& links) {
  const FractalHeap heap(file, heap_address);
  NameTree(file, tree, heap, links);
}

}  // namespace tessera
