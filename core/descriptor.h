#pragma once
// What write() and fsync() do not do themselves: go on after a signal, and after a part.

#include <string_view>

namespace tessera {

// All of the text, waiting where a descriptor that does not block is not ready. Gives 0 or errno.
int write_all(int descriptor, std::string_view text) noexcept;
// Onto the disk. What is no file on a disk (a pipe, some file systems of a network) has nothing to do. 0 or errno.
int sync_to_disk(int descriptor) noexcept;

}  // namespace tessera
