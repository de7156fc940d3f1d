#pragma once
// NumPy's .npy files (numpy.lib.format, version 1.0).

#include <filesystem>

#include "core/tensor.h"

namespace tessera {

// Little-endian float32 in C order, whole or not there. Throws ResourceError.
void write_npy(const std::filesystem::path& path, ConstView values);

}  // namespace tessera
