#pragma once
// Where the files in a tar archive lie, so that they can be read in place. Private to vision/.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace tessera {

struct TarEntry {
  std::string name;                   // as the archive has it, without a leading "./"
  std::int64_t offset = 0, size = 0;  // bytes from the start of the archive
};

struct TarIndex {
  std::vector<TarEntry> entries;  // regular files, in the order of the archive
  std::size_t others = 0;         // links, devices and sparse files, which are left out; folders are not counted
};

// By libarchive: ustar, pax and GNU tars, uncompressed. Only headers are read. Names are names: nothing is made of them
// on the disk. Throws InputError naming the archive for one that is no tar, compressed or cut off.
TarIndex index_tar(const std::filesystem::path& path);

}  // namespace tessera
