#pragma once
// A file of weights, opened to be read. Private to weights/.

#include <cstdint>
#include <filesystem>

namespace tessera {

// Owns a descriptor; closes it however its owner ends.
class InputFile {
 public:
  // Throws ModelFileError, without the file's name, for a missing file and for anything but a regular file. Does not
  // wait on a pipe.
  explicit InputFile(const std::filesystem::path& path);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  int descriptor() const noexcept { return descriptor_; }
  std::uint64_t bytes() const noexcept { return bytes_; }  // when it was opened

 private:
  int descriptor_;
  std::uint64_t bytes_ = 0;
};

}  // namespace tessera
