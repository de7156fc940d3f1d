#include "core/file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "core/error.h"

namespace tessera {

void write_file(const std::filesystem::path& path, const std::string& text) {
  const std::string temporary = path.string() + "." + std::to_string(::getpid()) + ".tmp";
  const int file = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  std::size_t done = 0;
  bool good = file >= 0;
  while (good && done < text.size()) {
    const ssize_t wrote = ::write(file, text.data() + done, text.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    good = wrote > 0;
    if (good) done += static_cast<std::size_t>(wrote);
  }
  good = good && ::fsync(file) == 0;
  const int error = errno;
  if (file >= 0) ::close(file);
  if (good && std::rename(temporary.c_str(), path.c_str()) == 0) return;
  const std::string reason = std::strerror(good ? errno : error);
  ::unlink(temporary.c_str());
  throw ResourceError(path.string() + ": cannot be written (" + reason + ")");
}

}  // namespace tessera
