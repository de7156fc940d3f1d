#include "weights/hdf5_chunk.h"

#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/error.h"

namespace tessera {

namespace {

std::size_t chunk_bytes(const Hdf5Dataset& dataset) {
  std::size_t bytes = size_of(dataset.type);
  for (const std::int64_t length : dataset.chunk_shape) bytes *= static_cast<std::size_t>(length);
  return bytes;
}

// The output is exactly as long as a chunk: a stream that holds more is an error and takes no more memory.
std::vector<std::byte> inflated(const std::vector<std::byte>& packed, std::size_t bytes) {
  std::vector<std::byte> out(bytes);
  uLongf length = static_cast<uLongf>(bytes);
  const int result = ::uncompress(reinterpret_cast<Bytef*>(out.data()), &length,
                                  reinterpret_cast<const Bytef*>(packed.data()), static_cast<uLong>(packed.size()));
  if (result != Z_OK || length != bytes) throw ModelFileError("its packed data is damaged");
  return out;
}

// Shuffle stores the first bytes of all elements, then the second ones, and so on.
std::vector<std::byte> unshuffled(const std::vector<std::byte>& shuffled, std::size_t element) {
  std::vector<std::byte> out(shuffled.size());
  const std::size_t count = shuffled.size() / element;
  for (std::size_t byte = 0; byte < element; ++byte) {
    for (std::size_t i = 0; i < count; ++i) out[i * element + byte] = shuffled[byte * count + i];
  }
  return out;
}

}  // namespace

void read_exactly(int descriptor, std::uint64_t offset, std::span<std::byte> to) {
  while (!to.empty()) {
    const ssize_t got = ::pread(descriptor, to.data(), to.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw ModelFileError(std::string("cannot be read (") + std::strerror(errno) + ")");
    if (got == 0) throw ModelFileError("the file ends within its data");
    to = to.subspan(static_cast<std::size_t>(got));
    offset += static_cast<std::uint64_t>(got);
  }
}

std::vector<std::byte> unpack_chunk(const Hdf5Dataset& dataset, std::vector<std::byte> raw) {
  constexpr std::size_t kChecksum = 4;
  if (dataset.fletcher32) {
    if (raw.size() < kChecksum) throw ModelFileError("a chunk is too short");
    raw.resize(raw.size() - kChecksum);  // not checked here: the manifest's SHA-256 is
  }
  if (dataset.deflate) raw = inflated(raw, chunk_bytes(dataset));
  if (dataset.shuffle) raw = unshuffled(raw, size_of(dataset.type));
  if (raw.size() != chunk_bytes(dataset)) throw ModelFileError("a chunk has the wrong size");
  return raw;
}

void place_chunk(const Hdf5Dataset& dataset, const Hdf5Dataset::Chunk& chunk, const std::vector<std::byte>& values,
                 std::byte* to) {
  const std::size_t rank = chunk.start.size();
  const std::size_t element = size_of(dataset.type);
  const std::int64_t row = dataset.chunk_shape[rank - 1];
  const std::int64_t inside = std::min(row, dataset.shape[static_cast<int>(rank) - 1] - chunk.start[rank - 1]);
  std::int64_t rows = 1;
  for (std::size_t d = 0; d + 1 < rank; ++d) rows *= dataset.chunk_shape[d];
  for (std::int64_t r = 0; r < rows; ++r) {
    // The position of row r of the chunk in the dataset, outermost dimension first.
    std::int64_t rest = r, divisor = rows, at = 0;
    bool outside = false;
    for (std::size_t d = 0; d + 1 < rank; ++d) {
      divisor /= dataset.chunk_shape[d];
      const std::int64_t position = chunk.start[d] + rest / divisor;
      rest %= divisor;
      outside |= position >= dataset.shape[static_cast<int>(d)];
      at = at * dataset.shape[static_cast<int>(d)] + position;
    }
    if (outside) continue;
    at = at * dataset.shape[static_cast<int>(rank) - 1] + chunk.start[rank - 1];
    std::memcpy(to + static_cast<std::size_t>(at) * element,
                values.data() + static_cast<std::size_t>(r * row) * element,
                static_cast<std::size_t>(inside) * element);
  }
}

}  // namespace tessera
