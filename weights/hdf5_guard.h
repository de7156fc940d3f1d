#pragma once
// A look at a dataset's object header before libhdf5 gets it: 1.10.8, which Debian 12 ships, divides by a chunk
// dimension of zero when such a dataset is opened, and the process dies. Private to weights/.
//
// Format: https://docs.hdfgroup.org/hdf5/develop/_f_m_t3.html, sections II.A, IV.A.1 and IV.A.2.i.

#include <cstdint>

namespace tessera {

// Throws ModelFileError unless the file starts with a superblock of 8-byte offsets and lengths, which the check of
// headers below relies on. (User blocks and other sizes exist, but no writer in use makes them unasked.)
void expect_usual_superblock(int descriptor, std::uint64_t file_bytes);

// Throws ModelFileError unless every layout message of the object header at `address` is one that libhdf5 can open.
void expect_sound_layout(int descriptor, std::uint64_t file_bytes, std::uint64_t address);

}  // namespace tessera
