#pragma once
// What lies where in a tar archive, so that pictures are read from it in place.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace tessera {

struct TarEntry {
  std::string name;                   // as unpacking names it: without a leading "/" or "./"
  std::int64_t offset = 0, size = 0;  // bytes from the start of the archive
};

struct TarIndex {
  std::vector<TarEntry> entries;      // regular files, and hard links to them, in the order of the archive
  std::vector<std::string> others;    // symbolic links, devices and sparse files, which are left out
  std::vector<std::string> replaced;  // files that a later member of the same name takes the place of, as in unpacking
};

// By libarchive: ustar, pax and GNU tars, uncompressed. Only headers are read. Names are names: nothing is made of them
// on the disk. Throws InputError naming the archive for one that is no tar, compressed or cut off.
TarIndex index_tar(const std::filesystem::path& path);

}  // namespace tessera
