#include "core/file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "core/error.h"

namespace tessera {

std::string read_file(const std::filesystem::path& path, std::uintmax_t most) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) {
    throw InputError(path.string() + ": no such file, or not a regular one");
  }
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  if (error) throw InputError(path.string() + ": cannot be read (" + error.message() + ")");
  if (size > most) {
    throw InputError(path.string() + ": too large (" + std::to_string(size) + " bytes; at most " +
                     std::to_string(most) + ")");
  }
  std::string text(static_cast<std::size_t>(size), '\0');
  std::ifstream file(path, std::ios::binary);
  if (!file.read(text.data(), static_cast<std::streamsize>(size))) throw InputError(path.string() + ": cannot be read");
  return text;
}

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
