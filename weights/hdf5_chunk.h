#pragma once
// Unpacks chunks of an HDF5 dataset, with every size known beforehand. Private to weights/.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "weights/hdf5.h"

namespace tessera {

// Throws ModelFileError when the file ends too early.
void read_exactly(int descriptor, std::uint64_t offset, std::span<std::byte> to);

// Undoes fletcher32, deflate and shuffle. Throws ModelFileError unless the result is exactly one chunk.
std::vector<std::byte> unpack_chunk(const Hdf5Dataset& dataset, std::vector<std::byte> raw);

// Copies the part of an unpacked chunk that lies inside the dataset to its place.
void place_chunk(const Hdf5Dataset& dataset, const Hdf5Dataset::Chunk& chunk, const std::vector<std::byte>& values,
                 std::byte* to);

}  // namespace tessera
