#pragma once
// What of a file libhdf5 may look at. 1.10.8, which Debian 12 ships, believes what a file's structures say of their own
// lengths: it reads beyond its blocks where a name has no end, a list of free blocks leads outside, or a message is
// shorter than its kind, and divides by a chunk dimension of zero. So names are looked up here, with every step
// checked, and libhdf5 opens datasets by address, once all that it will read of them has been seen to be sound. Private
// to weights/.
//
// Format: https://docs.hdfgroup.org/hdf5/develop/_f_m_t3.html.

#include <string>

#include "weights/hdf5_groups.h"

namespace tessera {

class Hdf5Guard {
 public:
  // Looks at all that libhdf5 looks at when it opens a file: the superblock and the root group. Throws ModelFileError
  // unless they are those of a file that was closed, is whole, and has nothing before or after it. (User blocks and
  // addresses of other than 8 bytes exist, but no writer in use makes them unasked.) `file` must outlive the guard.
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
