#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "core/error.h"
#include "weights/hdf5.h"
#include "weights/hdf5_handles.h"

namespace tessera {

struct Hdf5Writer::Handles {
  FileHandle file;
};

namespace {

hid_t memory_type(Hdf5Type type) {
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

}  // namespace

Hdf5Writer::Hdf5Writer(const std::filesystem::path& path)
    : path_(path),
      temporary_(path.parent_path() / ("." + path.filename().string() + "." + std::to_string(::getpid()) + ".tmp")),
      handles_(std::make_unique<Handles>()) {
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  handles_->file = FileHandle(H5Fcreate(temporary_.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT));
  if (!handles_->file.valid()) {
    throw ResourceError(path_.string() + ": cannot be written; is the folder there, and may you write to it?");
  }
}

Hdf5Writer::~Hdf5Writer() {
  handles_->file.reset();
  std::error_code ignored;
  std::filesystem::remove(temporary_, ignored);
}

void Hdf5Writer::write(const std::string& path, Hdf5Type type, const Shape& shape, const void* values) {
  std::array<hsize_t, Shape::kMaxRank> extents{};
  for (int i = 0; i < shape.rank(); ++i) extents[static_cast<std::size_t>(i)] = static_cast<hsize_t>(shape[i]);
  const SpaceHandle space(H5Screate_simple(shape.rank(), extents.data(), nullptr));
  const PropertiesHandle links(H5Pcreate(H5P_LINK_CREATE));
  H5Pset_create_intermediate_group(links.get(), 1);
  const DatasetHandle dataset(H5Dcreate2(handles_->file.get(), path.c_str(), memory_type(type), space.get(),
                                         links.get(), H5P_DEFAULT, H5P_DEFAULT));
  if (!dataset.valid() ||
      (shape.count() > 0 && H5Dwrite(dataset.get(), memory_type(type), H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0)) {
    throw ResourceError(path_.string() + ": '" + path + "' could not be written; is the disk full?");
  }
}

void Hdf5Writer::write_text(const std::string& path, const std::string& text) {
  write(path, Hdf5Type::kUint8, {static_cast<std::int64_t>(text.size())}, text.data());
}

void Hdf5Writer::commit() {
  const bool flushed = H5Fflush(handles_->file.get(), H5F_SCOPE_GLOBAL) >= 0;
  handles_->file.reset();
  const int descriptor = ::open(temporary_.c_str(), O_RDONLY | O_CLOEXEC);
  const bool synced = descriptor >= 0 && ::fsync(descriptor) == 0;
  if (descriptor >= 0) ::close(descriptor);
  if (!flushed || !synced) throw ResourceError(path_.string() + ": could not be written; is the disk full?");
  std::error_code error;
  std::filesystem::rename(temporary_, path_, error);
  if (error) throw ResourceError(path_.string() + ": could not be put in place (" + error.message() + ")");
}

std::string sha256(std::span<const std::byte> bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &length, EVP_sha256(), nullptr) != 1) {
    throw InternalError("SHA-256 failed");
  }
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (unsigned i = 0; i < length; ++i) {
    text += kDigits[digest[i] >> 4U];
    text += kDigits[digest[i] & 15U];
  }
  return text;
}

}  // namespace tessera
