#pragma once
// flock(2) on a file, for as long as this lives: processes of one machine that write the same file.

#include <filesystem>

namespace tessera {

class FileLock {
 public:
  enum class If { kThere, kMade };  // the file is there (else nothing is locked); the file is made where it is not

  // Waits for a process that holds it. Throws ResourceError.
  static FileLock wait_for(const std::filesystem::path& path, If file);
  // held() is false where another process holds it.
  static FileLock try_for(const std::filesystem::path& path, If file);

  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&&) = delete;
  ~FileLock();

  bool held() const noexcept { return held_; }

 private:
  FileLock(int file, bool held) : file_(file), held_(held) {}
  static FileLock lock(const std::filesystem::path& path, If file, int how);

  int file_;
  bool held_;
};

}  // namespace tessera
