#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <limits>

#include "core/error.h"
#include "weights/hdf5.h"
#include "weights/hdf5_chunk.h"
#include "weights/hdf5_handles.h"

namespace tessera {

struct Hdf5Reader::Handles {
  FileHandle file;
};

namespace {

constexpr std::uint64_t kMostChunks = 1 << 20;

[[noreturn]] void refuse(const std::string& reason) { throw ModelFileError(reason); }

hid_t stored_type(Hdf5Type type) {
  switch (type) {
    case Hdf5Type::kUint8:
      return H5T_STD_U8LE;
    case Hdf5Type::kInt64:
      return H5T_STD_I64LE;
    case Hdf5Type::kFloat32:
      return H5T_IEEE_F32LE;
    case Hdf5Type::kFloat64:
      return H5T_IEEE_F64LE;
  }
  throw InternalError("unknown HDF5 type");
}

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

// Every step of the path must be a hard link: soft and external links may lead out of the file.
void expect_hard_links(hid_t file, const std::string& path) {
  for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const std::string prefix = path.substr(0, end);
    H5L_info_t link;
    if (H5Lexists(file, prefix.c_str(), H5P_DEFAULT) <= 0) refuse("missing");
    if (H5Lget_info(file, prefix.c_str(), &link, H5P_DEFAULT) < 0) refuse("its link is damaged");
    if (link.type != H5L_TYPE_HARD) refuse("is a soft or external link; only data in the file itself is read");
    if (end == std::string::npos) return;
  }
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
    const H5Z_filter_t filter = H5Pget_filter2(properties, static_cast<unsigned>(i), &flags, &values, nullptr, 0,
                                               nullptr, &filter_config);
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
  const SpaceHandle space(H5Dget_space(dataset.get()));
  hsize_t count = 0;
  if (H5Dget_num_chunks(dataset.get(), space.get(), &count) < 0 || count != expected_chunks || count > kMostChunks) {
    refuse("not all of its chunks are stored");
  }
  const std::uint64_t most = elements * size_of(found.type) + 65536;  // what deflate adds to data it cannot pack
  for (hsize_t i = 0; i < count; ++i) {
    std::array<hsize_t, Shape::kMaxRank> start{};
    unsigned mask = 0;
    haddr_t offset = HADDR_UNDEF;
    hsize_t bytes = 0;
    if (H5Dget_chunk_info(dataset.get(), space.get(), i, start.data(), &mask, &offset, &bytes) < 0 || mask != 0 ||
        offset == HADDR_UNDEF || bytes > most || bytes > file_bytes || offset > file_bytes - bytes) {
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
    found.chunks.push_back(std::move(chunk));
  }
}

void locate_storage(const DatasetHandle& dataset, std::uint64_t file_bytes, Hdf5Dataset& found) {
  const PropertiesHandle properties(H5Dget_create_plist(dataset.get()));
  if (!properties.valid()) refuse("its storage is damaged");
  if (H5Pget_external_count(properties.get()) != 0) refuse("is stored outside the file; only data in the file is read");
  const H5D_layout_t layout = H5Pget_layout(properties.get());
  if (layout != H5D_CONTIGUOUS && layout != H5D_CHUNKED) refuse("is neither contiguous nor chunked");
  read_filters(properties.get(), found);
  if (layout == H5D_CHUNKED) return locate_chunks(dataset, properties.get(), file_bytes, found);
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

std::size_t size_of(Hdf5Type type) {
  switch (type) {
    case Hdf5Type::kUint8:
      return 1;
    case Hdf5Type::kFloat32:
      return 4;
    case Hdf5Type::kInt64:
    case Hdf5Type::kFloat64:
      return 8;
  }
  throw InternalError("unknown HDF5 type");
}

Hdf5Reader::Hdf5Reader(const std::filesystem::path& path) : file_(path.string()), handles_(std::make_unique<Handles>()) {
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  H5PLset_loading_state(0);
  descriptor_ = ::open(file_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor_ < 0) refuse(file_ + ": cannot be opened (" + std::strerror(errno) + ")");
  struct stat status {};
  const bool regular = ::fstat(descriptor_, &status) == 0 && S_ISREG(status.st_mode);
  file_bytes_ = regular ? static_cast<std::uint64_t>(status.st_size) : 0;
  if (regular && file_bytes_ > 0) handles_->file = FileHandle(H5Fopen(file_.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT));
  if (handles_->file.valid()) return;
  ::close(descriptor_);
  if (!regular) refuse(file_ + ": is not a regular file");
  if (file_bytes_ == 0) refuse(file_ + ": is empty");
  refuse(file_ + ": is not an HDF5 file, or is cut off");
}

Hdf5Reader::~Hdf5Reader() { ::close(descriptor_); }

Hdf5Dataset Hdf5Reader::locate(const std::string& path, Hdf5Type type, const Shape& shape) const {
  Hdf5Dataset found = locate_vector(path, type, -1);
  if (found.shape != shape) refuse("wrong shape: expected " + to_string(shape) + ", found " + to_string(found.shape));
  return found;
}

Hdf5Dataset Hdf5Reader::locate_vector(const std::string& path, Hdf5Type type, std::int64_t most) const {
  const hid_t file = handles_->file.get();
  expect_hard_links(file, path);
  const DatasetHandle dataset(H5Dopen2(file, path.c_str(), H5P_DEFAULT));
  if (!dataset.valid()) refuse("is not a dataset, or is damaged");
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
  locate_storage(dataset, file_bytes_, found);
  return found;
}

void Hdf5Reader::read(const Hdf5Dataset& dataset, void* to) const {
  const std::size_t bytes = static_cast<std::size_t>(dataset.shape.count()) * size_of(dataset.type);
  if (dataset.chunk_shape.empty()) {
    read_exactly(descriptor_, dataset.offset, {static_cast<std::byte*>(to), bytes});
    return;
  }
  for (const Hdf5Dataset::Chunk& chunk : dataset.chunks) {
    std::vector<std::byte> raw(chunk.bytes);
    read_exactly(descriptor_, chunk.offset, raw);
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

std::vector<std::string> Hdf5Reader::link_names(const std::string& group, std::size_t most) const {
  std::vector<std::string> names;
  const GroupHandle handle(H5Gopen2(handles_->file.get(), group.c_str(), H5P_DEFAULT));
  H5G_info_t info;
  if (!handle.valid() || H5Gget_info(handle.get(), &info) < 0) return names;
  for (hsize_t i = 0; i < std::min<hsize_t>(info.nlinks, most); ++i) {
    std::array<char, 512> name{};
    const ssize_t length = H5Lget_name_by_idx(handle.get(), ".", H5_INDEX_NAME, H5_ITER_INC, i, name.data(),
                                              name.size(), H5P_DEFAULT);
    if (length > 0) names.emplace_back(name.data());
  }
  return names;
}

}  // namespace tessera
