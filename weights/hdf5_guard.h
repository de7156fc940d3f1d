#pragma once
// Decides what libhdf5 may read of a file. Version 1.10.8, which Debian 12 ships, believes what a file's structures say
// about their own lengths: it reads beyond its blocks where a name has no end, where a list of free blocks leads
// outside, or where a message is shorter than its kind, and it divides by a chunk dimension of zero. So names are
// looked up here, with every step checked, and libhdf5 opens datasets by address, after everything that it will read of
// them has been found sound. Private to weights/.
//
// Format: https://docs.hdfgroup.org/hdf5/develop/_f_m_t3.html.

#include <string>

#include "weights/hdf5_groups.h"

namespace tessera {

class Hdf5Guard {
 public:
  // Checks what libhdf5 reads when it opens a file: the superblock and the root group. Throws ModelFileError unless the
  // file was closed, is whole, and has nothing before or after it. (User blocks and addresses of other than 8 bytes
  // exist, but no writer in use makes them by default.) `file` must outlive the guard.
  explicit Hdf5Guard(const InputFile& file);

  // The address of the dataset's header, which libhdf5 may open. Throws ModelFileError: "missing", "is a soft or
  // external link", and what is damaged. Not thread-safe: groups are read once and kept.
  std::uint64_t find_dataset(const std::string& path);
  // The links of a group.
  const Hdf5LinkMap& links(const std::string& group);

 private:
  const Hdf5LinkMap& links_at(std::uint64_t address);
  std::uint64_t find(const std::string& path);

  const InputFile& file_;
  std::uint64_t root_ = 0;
  std::map<std::uint64_t, Hdf5LinkMap> groups_;  // by address
};

}  // namespace tessera
