#pragma once
// write() and fsync() that go on after a signal, and after a partial write.

#include <string_view>

namespace tessera {

// Writes all of the text; waits where a non-blocking descriptor is not ready. Returns 0 or errno.
int write_all(int descriptor, std::string_view text) noexcept;
// Flushes to the disk; does nothing for what is not a file on a disk (a pipe, some network file systems). Returns 0 or
// errno.
int sync_to_disk(int descriptor) noexcept;

}  // namespace tessera
