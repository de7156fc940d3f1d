#pragma once
// flock(2) on a file, for the lifetime of this object: keeps processes of one machine from writing the same file at
// once.

#include <filesystem>

namespace tessera {

class FileLock {
 public:
  enum class If { kThere, kMade };  // the file is there (else nothing is locked); the file is made where it is not

  // Waits while another process holds it. Throws ResourceError.
  static FileLock wait_for(const std::filesystem::path& path, If file);
  // Does not wait: held() is false while another process holds the lock.
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
