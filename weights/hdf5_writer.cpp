#include <algorithm>
#include <array>

#include "core/error.h"
#include "core/output_file.h"
#include "weights/hdf5.h"
#include "weights/hdf5_handles.h"

namespace tessera {

struct Hdf5Writer::Handles {
  FileHandle file;
};

Hdf5Writer::Hdf5Writer(const std::filesystem::path& path)
    : path_(path), output_(std::make_unique<OutputFile>(path)), handles_(std::make_unique<Handles>()) {
  prepare_hdf5();
  handles_->file = FileHandle(H5Fcreate(output_->file_for_library().c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT));
  if (!handles_->file.valid()) {
    throw ResourceError(path_.string() + ": cannot be written; is the folder there, and may you write to it?");
  }
}

Hdf5Writer::~Hdf5Writer() = default;

void Hdf5Writer::write(const std::string& path, Hdf5Type type, const Shape& shape, const void* values) {
  std::array<hsize_t, Shape::kMaxRank> extents{};
  for (int i = 0; i < shape.rank(); ++i) extents[static_cast<std::size_t>(i)] = static_cast<hsize_t>(shape[i]);
  const SpaceHandle space(H5Screate_simple(shape.rank(), extents.data(), nullptr));
  const PropertiesHandle links(H5Pcreate(H5P_LINK_CREATE));
  H5Pset_create_intermediate_group(links.get(), 1);
  const DatasetHandle dataset(H5Dcreate2(handles_->file.get(), path.c_str(), stored_type(type), space.get(),
                                         links.get(), H5P_DEFAULT, H5P_DEFAULT));
  if (!dataset.valid() ||
      (shape.count() > 0 && H5Dwrite(dataset.get(), stored_type(type), H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0)) {
    throw ResourceError(path_.string() + ": '" + path + "' could not be written; is the disk full?");
  }
}

void Hdf5Writer::write_text(const std::string& path, const std::string& text) {
  write(path, Hdf5Type::kUint8, {static_cast<std::int64_t>(text.size())}, text.data());
}

void Hdf5Writer::write_attribute(const std::string& path, const std::string& name, const std::string& text) {
  const DatasetHandle dataset(H5Dopen2(handles_->file.get(), path.c_str(), H5P_DEFAULT));
  const TypeHandle type(H5Tcopy(H5T_C_S1));
  H5Tset_size(type.get(), std::max<std::size_t>(1, text.size()));
  H5Tset_strpad(type.get(), H5T_STR_NULLPAD);
  H5Tset_cset(type.get(), H5T_CSET_UTF8);
  const SpaceHandle space(H5Screate(H5S_SCALAR));
  const AttributeHandle attribute(
      H5Acreate2(dataset.get(), name.c_str(), type.get(), space.get(), H5P_DEFAULT, H5P_DEFAULT));
  if (!attribute.valid() || H5Awrite(attribute.get(), type.get(), text.c_str()) < 0) {
    throw ResourceError(path_.string() + ": the attribute '" + name + "' of '" + path +
                        "' could not be written; is the disk full?");
  }
}

void Hdf5Writer::commit() {
  const bool flushed = H5Fflush(handles_->file.get(), H5F_SCOPE_GLOBAL) >= 0;
  handles_->file.reset();
  if (!flushed) throw ResourceError(path_.string() + ": could not be written; is the disk full?");
  output_->commit();
}

}  // namespace tessera
