#pragma once
// The offsets of files in a tar archive, so that pictures can be read in place.

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
  std::vector<std::string> replaced;  // files that a later member of the same name replaces, as in unpacking
};

// Reads the headers of uncompressed ustar, pax and GNU tars by libarchive. Writes nothing to the disk, whatever the
// names are. Throws InputError naming the archive if it is not a tar, is compressed or is cut off.
TarIndex index_tar(const std::filesystem::path& path);

}  // namespace tessera
