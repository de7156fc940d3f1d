#include "core/error.h"
#include "weights/hdf5.h"
#include "weights/hdf5_handles.h"

namespace tessera {

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

}  // namespace tessera
