#include "core/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "core/error.h"

namespace tessera {

FileLock FileLock::lock(const std::filesystem::path& path, If file, int how) {
  const int flags = file == If::kMade ? O_RDWR | O_CREAT : O_RDONLY | O_NONBLOCK;
  FileLock made(::open(path.c_str(), flags | O_CLOEXEC, 0666), true);
  if (made.file_ < 0 && file == If::kThere && errno == ENOENT) return made;  // no file that another could hold
  if (made.file_ < 0) throw ResourceError(path.string() + ": cannot be opened (" + std::strerror(errno) + ")");
  while (::flock(made.file_, how) != 0) {
    if (errno == EINTR) continue;
    if (errno != EWOULDBLOCK) throw ResourceError(path.string() + ": cannot be locked (" + std::strerror(errno) + ")");
    made.held_ = false;
    break;
  }
  return made;
}

FileLock FileLock::wait_for(const std::filesystem::path& path, If file) { return lock(path, file, LOCK_EX); }
FileLock FileLock::try_for(const std::filesystem::path& path, If file) { return lock(path, file, LOCK_EX | LOCK_NB); }

FileLock::FileLock(FileLock&& other) noexcept : file_(std::exchange(other.file_, -1)), held_(other.held_) {}

FileLock::~FileLock() {
  if (file_ >= 0) ::close(file_);
}

}  // namespace tessera
