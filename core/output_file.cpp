#include "core/output_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <optional>
#include <random>
#include <string>

#include "core/descriptor.h"

namespace tessera {

namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const fs::path& path, int error) {
  const std::string text = path.string() + ": cannot be written (" + std::strerror(error) + ")";
  if (error == EPIPE) throw ReaderGone(text);
  throw ResourceError(text);
}

std::optional<int> number_of(std::string_view text) {
  int number = 0;
  const auto end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && at == end && number >= 0 ? std::optional(number) : std::nullopt;
}

// /dev/stdout, /dev/fd/3, /proc/self/fd/3: a descriptor that is already open, at its current position.
std::optional<int> descriptor_of(const fs::path& path) {
  const std::string name = path.lexically_normal().string();
  if (name == "/dev/stdout") return STDOUT_FILENO;
  if (name == "/dev/stderr") return STDERR_FILENO;
  for (const std::string_view folder : {"/dev/fd/", "/proc/self/fd/"}) {
    if (name.starts_with(folder)) return number_of(std::string_view(name).substr(folder.size()));
  }
  return std::nullopt;
}

struct Target {
  fs::path path;
  std::optional<int> descriptor;
  struct stat status {};
  bool there = false;
};

// Follows links one by one, so that a link to /dev/stdout is recognised, and a link to a file that does not exist yet
// gives that file.
Target find_target(const fs::path& path) {
  if (path.empty() || path.filename().empty()) throw UsageError("'" + path.string() + "': is no file's name");
  Target target{.path = path, .descriptor = {}};
  constexpr int kMostLinks = 40;
  for (int links = 0;; ++links) {
    target.descriptor = descriptor_of(target.path);
    if (target.descriptor) return target;
    target.there = ::lstat(target.path.c_str(), &target.status) == 0;
    if (!target.there && errno != ENOENT) fail(path, errno);
    if (!target.there || !S_ISLNK(target.status.st_mode)) return target;
    if (links == kMostLinks) fail(path, ELOOP);
    std::error_code error;
    const fs::path next = fs::read_symlink(target.path, error);
    if (error) fail(path, error.value());
    target.path = next.is_absolute() ? next : target.path.parent_path() / next;
  }
}

fs::path folder_of(const fs::path& file) { return file.has_parent_path() ? file.parent_path() : "."; }

// Throws for a target that cannot be written; returns whether bytes go there at once.
bool is_written_through(const fs::path& path, const Target& target) {
  if (target.descriptor) return true;
  const mode_t mode = target.status.st_mode;
  if (target.there && S_ISDIR(mode)) throw UsageError(path.string() + ": is a folder, where a file is to be written");
  if (target.there && S_ISBLK(mode)) throw UsageError(path.string() + ": is a disk, which is not written over");
  if (target.there && ::access(target.path.c_str(), W_OK) != 0) fail(path, errno);
  if (target.there && !S_ISREG(mode)) return true;
  if (::access(folder_of(target.path).c_str(), W_OK | X_OK) != 0) fail(path, errno);
  return false;
}

int open_through(const fs::path& path, const Target& target) {
  for (;;) {
    const int file = target.descriptor ? ::fcntl(*target.descriptor, F_DUPFD_CLOEXEC, 3)
                                       : ::open(target.path.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY);
    if (file >= 0) return file;
    if (errno != EINTR) fail(path, errno);
  }
}

// The new name is on the disk only when its folder has been flushed. Not every file system can do that; the file itself
// is safe by then.
void sync_folder(const fs::path& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  sync_to_disk(descriptor);
  ::close(descriptor);
}

}  // namespace

OutputFile::OutputFile(fs::path path) : path_(std::move(path)) {
  const Target target = find_target(path_);
  target_ = target.path;
  through_ = is_written_through(path_, target);
  if (through_) {
    file_ = open_through(path_, target);
    return;
  }
  if (target.there) mode_ = static_cast<int>(target.status.st_mode & 0777U);
  make_temporary(folder_of(target_));
}

OutputFile::~OutputFile() {
  if (file_ >= 0) ::close(file_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

// O_EXCL follows no link and opens no existing file, so nobody can have put one there before.
void OutputFile::make_temporary(const fs::path& folder) {
  std::random_device random;
  constexpr int kAttempts = 100;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const fs::path name = folder / (".tessera-" + std::to_string(random()) + "-" + std::to_string(random()) + ".tmp");
    const int file = ::open(name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (file < 0 && (errno == EEXIST || errno == EINTR)) continue;
    if (file < 0) fail(path_, errno);
    temporary_ = name;
    if (through_) {
      ::close(file);
    } else {
      file_ = file;
    }
    if (mode_ >= 0) ::fchmod(file, static_cast<mode_t>(mode_));  // where it may not be, the umask's are good enough
    return;
  }
  fail(path_, EEXIST);
}

const fs::path& OutputFile::file_for_library() {
  if (temporary_.empty()) {
    std::error_code error;
    const fs::path folder = fs::temp_directory_path(error);
    make_temporary(error ? "/tmp" : folder);
  }
  return temporary_;
}

void OutputFile::check(int error) const {
  if (error != 0) fail(path_, error);
}

void OutputFile::write(std::string_view bytes) { check(write_all(file_, bytes)); }

void OutputFile::copy_temporary() {
  const int source = ::open(temporary_.c_str(), O_RDONLY | O_CLOEXEC);
  int error = source < 0 ? errno : 0;
  std::array<char, 1 << 16> block{};
  while (error == 0) {
    const ssize_t got = ::read(source, block.data(), block.size());
    if (got == 0) break;
    error = got < 0 ? errno : write_all(file_, {block.data(), static_cast<std::size_t>(got)});
    if (error == EINTR) error = 0;
  }
  if (source >= 0) ::close(source);
  check(error);
}

void OutputFile::commit() {
  if (through_) {
    if (!temporary_.empty()) copy_temporary();
    return;
  }
  check(sync_to_disk(file_));
  check(std::rename(temporary_.c_str(), target_.c_str()) == 0 ? 0 : errno);
  temporary_.clear();
  sync_folder(folder_of(target_));
}

bool is_same_place(const fs::path& a, const fs::path& b) {
  const auto place = [](const fs::path& path) {
    std::error_code error;
    fs::path found = fs::weakly_canonical(path, error);
    return error ? path.lexically_normal() : found;
  };
  return place(a) == place(b);
}

void check_output(const fs::path& path) { is_written_through(path, find_target(path)); }

void check_output_folder(const fs::path& folder) {
  if (folder.empty()) throw UsageError("'': is no folder's name");
  for (fs::path at = folder;; at = folder_of(at)) {
    struct stat status {};
    if (::stat(at.c_str(), &status) != 0) {
      if (errno != ENOENT || at == folder_of(at))
        throw ResourceError(folder.string() + ": cannot be made (" + std::strerror(errno) + ")");
      continue;
    }
    if (!S_ISDIR(status.st_mode))
      throw UsageError(folder.string() + ": cannot be made; " + at.string() + " is no folder");
    if (::access(at.c_str(), W_OK | X_OK) != 0) {
      throw ResourceError(folder.string() + ": cannot be written (" + std::strerror(errno) + ")");
    }
    return;
  }
}

}  // namespace tessera
