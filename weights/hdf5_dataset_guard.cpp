// Checks that the messages of a dataset are as long as libhdf5 1.10.8 assumes: it reads most of them without checking
// where they end, and divides by a chunk dimension of zero.

#include <algorithm>

#include "core/error.h"
#include "weights/hdf5_header.h"

namespace tessera {

namespace {

constexpr std::uint64_t kContiguous = 1, kChunked = 2;

// What libhdf5 goes by, beside the layout, when it reads an index of chunks.
struct Elements {
  std::uint64_t bytes;  // of one
  bool filtered;
};

const HeaderMessage* find(const std::vector<HeaderMessage>& messages, std::uint64_t type) {
  const auto found = std::ranges::find(messages, type, &HeaderMessage::type);
  return found == messages.end() ? nullptr : &*found;
}

void check_type(Hdf5Bytes bytes) {
  constexpr std::uint64_t kFixedPoint = 0, kFloatingPoint = 1;
  const std::uint64_t kind = number(bytes, 0, 1) & 15U;
  if (kind != kFixedPoint && kind != kFloatingPoint) {
    throw ModelFileError("wrong type: expected plain numbers, found another kind");
  }
  part(bytes, 0, kind == kFixedPoint ? 12 : 20);
  if (number(bytes, 4, 4) == 0) refuse_header();
}

void check_space(Hdf5Bytes bytes) {
  constexpr std::uint64_t kMostDimensions = 32;
  const std::uint64_t version = number(bytes, 0, 1), rank = number(bytes, 1, 1), flags = number(bytes, 2, 1);
  if (version < 1 || version > 2 || rank > kMostDimensions) throw ModelFileError("its data space is damaged");
  const std::uint64_t vectors = 1 + ((flags & 1U) != 0 ? 1U : 0U) + ((flags & 2U) != 0 ? 1U : 0U);
  part(bytes, 0, (version == 1 ? 8 : 4) + 8 * rank * vectors);
}

void check_fill(Hdf5Bytes bytes) {
  const std::uint64_t version = number(bytes, 0, 1);
  if (version == 3) {
    if ((number(bytes, 1, 1) & 0x20U) != 0) part(bytes, 6, number(bytes, 2, 4));
    return;
  }
  if (version < 1 || version > 3) refuse_header();
  if (version == 1 || number(bytes, 3, 1) != 0) part(bytes, 8, number(bytes, 4, 4));
}

void check_filters(Hdf5Bytes bytes) {
  constexpr std::uint64_t kMostFilters = 32, kFirstNamed = 256;
  const std::uint64_t version = number(bytes, 0, 1), count = number(bytes, 1, 1);
  if (version < 1 || version > 2 || count == 0 || count > kMostFilters) refuse_header();
  std::uint64_t at = version == 1 ? 8 : 2;
  for (std::uint64_t i = 0; i < count; ++i) {
    const bool named = version == 1 || number(bytes, at, 2) >= kFirstNamed;
    const std::uint64_t name = named ? number(bytes, at + 2, 2) : 0;
    at += named ? 4 : 2;
    const std::uint64_t values = number(bytes, at + 2, 2);
    const Hdf5Bytes text = part(bytes, at + 4, name);
    // libhdf5 measures the name up to its zero byte.
    if (name > 0 && std::ranges::find(text, std::byte{0}) == text.end()) refuse_header();
    if (version == 1 && name % 8 != 0) refuse_header();
    at += 4 + name;
    part(bytes, at, 4 * values);
    at += 4 * values;
    if (version == 1 && values % 2 == 1) {
      part(bytes, at, 4);
      at += 4;
    }
  }
}

// The older kind of index of chunks: a B-tree in which each node is one level below the node that leads to it.
void check_chunk_tree(const InputFile& file, std::uint64_t root, std::uint64_t rank) {
  constexpr std::size_t kMostNodes = 16384, kMostChunks = 1 << 16;
  struct Node {
    std::uint64_t address;
    std::uint64_t level;
  };
  const std::uint64_t key = 8 + 8 * rank;
  std::vector<Node> nodes;
  std::uint64_t chunks = 0;
  if (root != kNoAddress) nodes.push_back({root, number(read_block(file, root, 24), 5, 1)});
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (i == kMostNodes) refuse_header();
    const std::vector<std::byte> head = read_block(file, nodes[i].address, 24);
    expect_signature(head, "TREE");
    if (number(head, 4, 1) != 1 || number(head, 5, 1) != nodes[i].level) refuse_header();
    const std::uint64_t used = number(head, 6, 2);
    if (nodes[i].level == 0) {
      chunks += used;
      if (chunks > kMostChunks) refuse_header();
      continue;
    }
    const std::vector<std::byte> entries = read_block(file, nodes[i].address + 24, used * (key + 8) + key);
    for (std::uint64_t child = 0; child < used; ++child) {
      nodes.push_back({number(entries, child * (key + 8) + key, 8), nodes[i].level - 1});
    }
  }
}

// The newer kind of index: that of datasets of fixed size. libhdf5 takes the lengths of its elements not from it but
// from the filters and the size of a chunk.
void check_fixed_array(const InputFile& file, std::uint64_t address, bool filtered, std::uint64_t chunk_bytes) {
  constexpr std::uint64_t kMostElements = 1 << 16, kMostPageBits = 20;
  if (address == kNoAddress) return;
  const std::vector<std::byte> head = read_block(file, address, 28);
  expect_signature(head, "FAHD");
  const std::uint64_t client = filtered ? 1 : 0;
  const std::uint64_t element =
      filtered ? 8 + (1 + width_of(chunk_bytes)) + 4 : 8;  // address, length, filters left out
  if (number(head, 5, 1) != client || number(head, 6, 1) != element || number(head, 7, 1) > kMostPageBits ||
      number(head, 8, 8) > kMostElements) {
    refuse_header();
  }
}

void check_newer_chunks(const InputFile& file, Hdf5Bytes bytes, std::uint64_t at, bool filtered,
                        std::uint64_t chunk_bytes) {
  constexpr std::uint64_t kSingle = 1, kImplicit = 2, kFixedArray = 3, kFilteredFlag = 2;
  const std::uint64_t index = number(bytes, at, 1);
  if (index == kSingle) {
    number(bytes, at + 1 + ((number(bytes, 2, 1) & kFilteredFlag) != 0 ? 12 : 0), 8);
  } else if (index == kImplicit) {
    number(bytes, at + 1, 8);
  } else if (index == kFixedArray) {
    check_fixed_array(file, number(bytes, at + 2, 8), filtered, chunk_bytes);
  } else {
    throw ModelFileError("its chunks are kept as those of a dataset that may grow; write it with a fixed shape");
  }
}

void check_layout(const InputFile& file, Hdf5Bytes bytes, const Elements& elements) {
  constexpr std::uint64_t kMostDimensions = 33, kMostChunkBytes = UINT32_MAX;
  const std::uint64_t version = number(bytes, 0, 1);
  if (version > 4) throw ModelFileError("is kept as only HDF5 2.0 and later do; write it with libver up to 'v114'");
  if (version < 1) refuse_header();
  const bool old = version < 3;
  const std::uint64_t kind = number(bytes, old ? 2 : 1, 1);
  if (kind != kContiguous && kind != kChunked) throw ModelFileError("is neither contiguous nor chunked");
  if (kind == kContiguous) {
    const std::uint64_t dimensions = old ? number(bytes, 1, 1) : 0;
    if (dimensions > kMostDimensions) refuse_header();
    part(bytes, 0, old ? 16 + 4 * dimensions : 18);
    return;
  }
  std::uint64_t rank_at = 2, first = 11;  // version 3: version, class, rank, address, dimensions
  std::size_t width = 4;
  if (old) {
    rank_at = 1;  // version, rank, class, reserved, address, dimensions
    first = 16;
  } else if (version == 4) {
    rank_at = 3;  // version, class, flags, rank, width of a dimension, dimensions
    first = 5;
    width = number(bytes, 4, 1);
  }
  const std::uint64_t rank = number(bytes, rank_at, 1);
  if (rank < 2 || rank > kMostDimensions || width < 1 || width > 8) refuse_header();
  // libhdf5 keeps the lower 32 bits of each dimension, which may be none, and multiplies without looking. The last is
  // an element's length, in whose place it puts that of the type.
  std::uint64_t chunk_bytes = elements.bytes;
  for (std::uint64_t i = 0; i < rank; ++i) {
    const std::uint64_t length = number(bytes, first + i * width, width);
    if (length == 0) throw ModelFileError("has chunks without elements");
    if (i + 1 < rank && __builtin_mul_overflow(chunk_bytes, length, &chunk_bytes)) chunk_bytes = UINT64_MAX;
    if (length > kMostChunkBytes || chunk_bytes > kMostChunkBytes) throw ModelFileError("has chunks of 4 GiB or more");
  }
  if (version == 4) return check_newer_chunks(file, bytes, first + rank * width, elements.filtered, chunk_bytes);
  check_chunk_tree(file, number(bytes, first - 8, 8), rank);
}

}  // namespace

void expect_sound_dataset(const InputFile& file, const std::vector<HeaderMessage>& messages) {
  const HeaderMessage* const layout = find(messages, kLayoutMessage);
  const HeaderMessage* const type = find(messages, kTypeMessage);
  const HeaderMessage* const space = find(messages, kSpaceMessage);
  if (layout == nullptr || type == nullptr || space == nullptr || find(messages, kGroupMessage) != nullptr ||
      find(messages, kLinkInfoMessage) != nullptr) {
    throw ModelFileError("is not a dataset, or is damaged");
  }
  if (find(messages, kExternalMessage) != nullptr) {
    throw ModelFileError("is stored outside the file; only data in the file is read");
  }
  const Elements elements{.bytes = number(type->bytes, 4, 4), .filtered = find(messages, kFilterMessage) != nullptr};
  for (const HeaderMessage& message : messages) {
    const Hdf5Bytes bytes = message.bytes;
    const bool read = message.type >= kSpaceMessage && message.type <= kFilterMessage;
    if (read && message.shared) throw ModelFileError("shares its description with others, which is not read");
    if (message.type == kTypeMessage) check_type(bytes);
    if (message.type == kSpaceMessage) check_space(bytes);
    if (message.type == kLayoutMessage) check_layout(file, bytes, elements);
    if (message.type == kFilterMessage) check_filters(bytes);
    if (message.type == kFillMessage) check_fill(bytes);
    if (message.type == kOldFillMessage) part(bytes, 4, number(bytes, 0, 4));
  }
}

}  // namespace tessera
