#pragma once
// Reads numbers of an HDF5 file's own structures, never from beyond the block or the file. Private to weights/.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "weights/input_file.h"

namespace tessera {

using Hdf5Bytes = std::span<const std::byte>;

constexpr std::uint64_t kNoAddress = UINT64_MAX;  // as it stands in the file

// Throws ModelFileError("its header is damaged").
[[noreturn]] void refuse_header();

// `length` bytes at `offset`. Throw ModelFileError unless all of them are in the file or the block.
std::vector<std::byte> read_block(const InputFile& file, std::uint64_t offset, std::uint64_t length);
Hdf5Bytes part(Hdf5Bytes bytes, std::uint64_t at, std::uint64_t length);
// `width` bytes (at most 8) at `at`, least significant first.
std::uint64_t number(Hdf5Bytes bytes, std::uint64_t at, std::size_t width);

// How many bytes a number up to `most` takes.
inline std::uint64_t width_of(std::uint64_t most) { return (static_cast<std::uint64_t>(std::bit_width(most)) + 7) / 8; }

void expect_signature(Hdf5Bytes bytes, std::string_view signature);
bool starts_with(Hdf5Bytes bytes, std::string_view text);

}  // namespace tessera
