#pragma once
// A file to write. A regular file appears whole or not at all; a device, a FIFO or a descriptor is written through.

#include <filesystem>
#include <string>
#include <string_view>

#include "core/error.h"

namespace tessera {

// The other end of a pipe has been closed: nobody's fault, and nothing to report.
class ReaderGone : public ResourceError {
 public:
  using ResourceError::ResourceError;
};

// After following symbolic links (which stay), what the path names decides:
// - nothing, or a regular file: the bytes go to a file of a random name beside it, which commit() flushes to the disk
//   and renames; a reader finds the old file or the new one. A new file has the permissions that the umask leaves, a
//   replaced one keeps its own. Without commit() nothing is left behind.
// - a character device, a FIFO, or a descriptor of this process (/dev/stdout, /dev/fd/N): bytes go there at once, and
//   what stands at the path stays.
// - a folder or a disk: UsageError. Every other failure is a ResourceError that names the path.
class OutputFile {
 public:
  explicit OutputFile(std::filesystem::path path);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  void write(std::string_view bytes);
  void commit();

  // For a library that writes files by name: the file to write to, which is there and empty. Where the target is no
  // regular file it lies in the folder for temporary files, and commit() copies it.
  const std::filesystem::path& file_for_library();

 private:
  void make_temporary(const std::filesystem::path& folder);
  void copy_temporary();
  void check(int error) const;

  std::filesystem::path path_;       // as it was given
  std::filesystem::path target_;     // what its links lead to
  std::filesystem::path temporary_;  // empty: none
  int file_ = -1;                    // what write() writes to
  bool through_ = false;
  int mode_ = -1;  // of the file that is replaced
};

// Whether both names lead to one place, with links followed as far as they go. Does not throw for a path that cannot be
// looked at.
bool is_same_place(const std::filesystem::path& a, const std::filesystem::path& b);

// Throws what OutputFile would throw for this path, and does nothing else. To be called before the work whose result
// goes there.
void check_output(const std::filesystem::path& path);
// The same for a folder that will be made, with its parents, and written to.
void check_output_folder(const std::filesystem::path& folder);

}  // namespace tessera
