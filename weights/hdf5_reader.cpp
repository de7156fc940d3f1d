#include <algorithm>
#include <array>
#include <limits>
#include <set>

#include "core/error.h"
#include "weights/hdf5.h"
#include "weights/hdf5_chunk.h"
#include "weights/hdf5_driver.h"
#include "weights/hdf5_guard.h"
#include "weights/hdf5_handles.h"
#include "weights/input_file.h"

namespace tessera {

struct Hdf5Reader::Handles {
  explicit Handles(const std::string& path) : input(path) {}
  InputFile input;
  Hdf5Guard guard{input};
  FileHandle file;
};

namespace {

// libhdf5 walks all chunks to find one, so reading their places takes time that grows with the square of this.
constexpr std::uint64_t kMostChunks = 8192;

[[noreturn]] void refuse(const std::string& reason) { throw ModelFileError(reason); }

std::string name_of(Hdf5Type type) {
  switch (type) {
    case Hdf5Type::kUint8:
      return "unsigned 8-bit integers";
    case Hdf5Type::kInt64:
      return "little-endian 64-bit integers";
    case Hdf5Type::kFloat32:
      return "little-endian float32";
    case Hdf5Type::kFloat64:
      return "little-endian float64";
  }
  throw InternalError("unknown HDF5 type");
}

Shape shape_of(const DatasetHandle& dataset) {
  const SpaceHandle space(H5Dget_space(dataset.get()));
  const int rank = space.valid() ? H5Sget_simple_extent_ndims(space.get()) : -1;
  if (rank < 0) refuse("its data space is damaged");
  if (H5Sget_simple_extent_type(space.get()) == H5S_NULL) refuse("has no data");
  if (rank > Shape::kMaxRank) refuse("has " + std::to_string(rank) + " dimensions");
  std::array<hsize_t, Shape::kMaxRank> extents{};
  H5Sget_simple_extent_dims(space.get(), extents.data(), nullptr);
  std::array<std::int64_t, Shape::kMaxRank> dimensions{};
  for (std::size_t i = 0; i < static_cast<std::size_t>(rank); ++i) {
    if (extents[i] > static_cast<hsize_t>(std::numeric_limits<std::int64_t>::max())) refuse("has an impossible size");
    dimensions[i] = static_cast<std::int64_t>(extents[i]);
  }
  return Shape(std::span<const std::int64_t>(dimensions.data(), static_cast<std::size_t>(rank)));
}

void read_filters(hid_t properties, Hdf5Dataset& found) {
  const int filters = H5Pget_nfilters(properties);
  int last = -1;
  for (int i = 0; i < filters; ++i) {
    unsigned flags = 0, filter_config = 0;
    std::size_t values = 0;
    const H5Z_filter_t filter =
        H5Pget_filter2(properties, static_cast<unsigned>(i), &flags, &values, nullptr, 0, nullptr, &filter_config);
    constexpr std::array<H5Z_filter_t, 3> kOrder{H5Z_FILTER_SHUFFLE, H5Z_FILTER_DEFLATE, H5Z_FILTER_FLETCHER32};
    const auto place = static_cast<int>(std::ranges::find(kOrder, filter) - kOrder.begin());
    if (place == static_cast<int>(kOrder.size()) || place <= last) {
      refuse("is packed with filter " + std::to_string(filter) + "; only shuffle, deflate, fletcher32 are read");
    }
    last = place;
    found.shuffle |= filter == H5Z_FILTER_SHUFFLE;
    found.deflate |= filter == H5Z_FILTER_DEFLATE;
    found.fletcher32 |= filter == H5Z_FILTER_FLETCHER32;
  }
}

// Whether `stored` bytes can hold a chunk. Deflate packs at most 1032 to 1 (https://zlib.net/zlib_tech.html), so what
// is allocated for a dataset is bounded by what the file holds.
bool possible_chunk(const Hdf5Dataset& dataset, std::uint64_t chunk_bytes, std::uint64_t stored) {
  constexpr std::uint64_t kBestRatio = 1032, kDeflateOverhead = 65536, kChecksum = 4;
  if (!dataset.deflate) return stored == chunk_bytes + (dataset.fletcher32 ? kChecksum : 0);
  return stored <= chunk_bytes + kDeflateOverhead && chunk_bytes / kBestRatio <= stored;
}

void locate_chunks(const DatasetHandle& dataset, hid_t properties, std::uint64_t file_bytes, Hdf5Dataset& found) {
  const auto rank = static_cast<std::size_t>(found.shape.rank());
  std::array<hsize_t, Shape::kMaxRank> extents{};
  if (rank == 0 || H5Pget_chunk(properties, found.shape.rank(), extents.data()) != found.shape.rank()) {
    refuse("its chunks are damaged");
  }
  std::uint64_t elements = 1, expected_chunks = 1;
  for (std::size_t i = 0; i < rank; ++i) {
    const auto length = static_cast<std::uint64_t>(found.shape[static_cast<int>(i)]);
    if (extents[i] == 0 || extents[i] > std::max<std::uint64_t>(length, 1)) refuse("has chunks larger than itself");
    elements *= extents[i];
    expected_chunks *= (length + extents[i] - 1) / extents[i];
    found.chunk_shape.push_back(static_cast<std::int64_t>(extents[i]));
  }
  // Before libhdf5 counts them, which it does one by one, and without end where an index has none of its own.
  if (expected_chunks > kMostChunks) refuse("has more than " + std::to_string(kMostChunks) + " chunks");
  const SpaceHandle space(H5Dget_space(dataset.get()));
  hsize_t count = 0;
  if (H5Dget_num_chunks(dataset.get(), space.get(), &count) < 0 || count != expected_chunks) {
    refuse("not all of its chunks are stored");
  }
  const std::uint64_t chunk_bytes = elements * size_of(found.type);
  std::set<std::vector<std::int64_t>> starts;
  for (hsize_t i = 0; i < count; ++i) {
    std::array<hsize_t, Shape::kMaxRank> start{};
    unsigned mask = 0;
    haddr_t offset = HADDR_UNDEF;
    hsize_t bytes = 0;
    if (H5Dget_chunk_info(dataset.get(), space.get(), i, start.data(), &mask, &offset, &bytes) < 0 || mask != 0 ||
        offset == HADDR_UNDEF || bytes > file_bytes || offset > file_bytes - bytes ||
        !possible_chunk(found, chunk_bytes, bytes)) {
      refuse("chunk " + std::to_string(i) + " is damaged");
    }
    Hdf5Dataset::Chunk chunk{.start = {}, .offset = offset, .bytes = bytes};
    for (std::size_t d = 0; d < rank; ++d) {
      const auto at = static_cast<std::int64_t>(start[d]);
      if (at < 0 || at >= found.shape[static_cast<int>(d)] || at % found.chunk_shape[d] != 0) {
        refuse("chunk " + std::to_string(i) + " lies outside");
      }
      chunk.start.push_back(at);
    }
    if (!starts.insert(chunk.start).second) refuse("chunk " + std::to_string(i) + " is stored twice");
    found.chunks.push_back(std::move(chunk));
  }
}

// Called first: to learn the shape of a virtual dataset, libhdf5 opens other files.
PropertiesHandle plain_storage(const DatasetHandle& dataset) {
  PropertiesHandle properties(H5Dget_create_plist(dataset.get()));
  if (!properties.valid()) refuse("its storage is damaged");
  const H5D_layout_t layout = H5Pget_layout(properties.get());
  if (layout != H5D_CONTIGUOUS && layout != H5D_CHUNKED) refuse("is neither contiguous nor chunked");
  if (H5Pget_external_count(properties.get()) != 0) refuse("is stored outside the file; only data in the file is read");
  return properties;
}

void locate_storage(const DatasetHandle& dataset, hid_t properties, std::uint64_t file_bytes, Hdf5Dataset& found) {
  read_filters(properties, found);
  if (H5Pget_layout(properties) == H5D_CHUNKED) return locate_chunks(dataset, properties, file_bytes, found);
  const std::uint64_t bytes = static_cast<std::uint64_t>(found.shape.count()) * size_of(found.type);
  const haddr_t offset = H5Dget_offset(dataset.get());
  if (bytes == 0) return;
  if (offset == HADDR_UNDEF) refuse("has no data stored");
  if (H5Dget_storage_size(dataset.get()) != bytes || bytes > file_bytes || offset > file_bytes - bytes) {
    refuse("its data is cut off");
  }
  found.offset = offset;
}

}  // namespace

Hdf5Reader::Hdf5Reader(const std::filesystem::path& path) : file_(path.string()) {
  prepare_hdf5();
  H5PLset_loading_state(0);
  try {
    handles_ = std::make_unique<Handles>(file_);
    handles_->file = open_hdf5(handles_->input);
    if (!handles_->file.valid()) refuse("is not an HDF5 file, or is cut off");
  } catch (const ModelFileError& error) {
    refuse(file_ + ": " + error.what());
  }
}

Hdf5Reader::~Hdf5Reader() = default;

std::uint64_t Hdf5Reader::file_bytes() const noexcept { return handles_->input.bytes(); }

Hdf5Dataset Hdf5Reader::locate(const std::string& path, Hdf5Type type, const Shape& shape) const {
  Hdf5Dataset found = locate_vector(path, type, -1);
  if (found.shape != shape) refuse("wrong shape: expected " + to_string(shape) + ", found " + to_string(found.shape));
  return found;
}

Hdf5Dataset Hdf5Reader::locate_vector(const std::string& path, Hdf5Type type, std::int64_t most) const {
  const DatasetHandle dataset(H5Oopen_by_addr(handles_->file.get(), handles_->guard.find_dataset(path)));
  if (!dataset.valid() || H5Iget_type(dataset.get()) != H5I_DATASET) refuse("is not a dataset, or is damaged");
  const PropertiesHandle properties = plain_storage(dataset);
  const TypeHandle found_type(H5Dget_type(dataset.get()));
  if (!found_type.valid() || H5Tequal(found_type.get(), stored_type(type)) <= 0) {
    refuse("wrong type: expected " + name_of(type));
  }
  Hdf5Dataset found;
  found.path = path;
  found.type = type;
  found.shape = shape_of(dataset);
  if (most >= 0 && (found.shape.rank() != 1 || found.shape[0] > most)) {
    refuse("expected a vector of at most " + std::to_string(most) + " elements, found " + to_string(found.shape));
  }
  std::uint64_t elements = 1;
  for (const std::int64_t length : found.shape.dimensions()) {
    constexpr std::uint64_t kMostElements = std::uint64_t{1} << 40;
    if (__builtin_mul_overflow(elements, static_cast<std::uint64_t>(length), &elements) || elements > kMostElements) {
      refuse("has an impossible shape " + to_string(found.shape));
    }
  }
  locate_storage(dataset, properties.get(), file_bytes(), found);
  return found;
}

void Hdf5Reader::read(const Hdf5Dataset& dataset, void* to) const {
  const std::size_t bytes = static_cast<std::size_t>(dataset.shape.count()) * size_of(dataset.type);
  if (dataset.chunk_shape.empty()) {
    read_exactly(handles_->input.descriptor(), dataset.offset, {static_cast<std::byte*>(to), bytes});
    return;
  }
  for (const Hdf5Dataset::Chunk& chunk : dataset.chunks) {
    std::vector<std::byte> raw(chunk.bytes);
    read_exactly(handles_->input.descriptor(), chunk.offset, raw);
    place_chunk(dataset, chunk, unpack_chunk(dataset, std::move(raw)), static_cast<std::byte*>(to));
  }
}

std::string Hdf5Reader::read_text(const std::string& path, std::int64_t most) const {
  try {
    const Hdf5Dataset dataset = locate_vector(path, Hdf5Type::kUint8, most);
    std::string text(static_cast<std::size_t>(dataset.shape[0]), '\0');
    read(dataset, text.data());
    return text;
  } catch (const ModelFileError& error) {
    refuse(file_ + ": " + path + ": " + error.what());
  }
}

Hdf5Links Hdf5Reader::links(const std::string& group, std::uint64_t most) const {
  const Hdf5LinkMap& found = handles_->guard.links(group);
  Hdf5Links links{.count = found.size(), .names = {}};
  for (const auto& [name, link] : found) {
    if (links.names.size() == most) break;
    links.names.push_back(name);
  }
  return links;
}

}  // namespace tessera
