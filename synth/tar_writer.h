#pragma once
// Writes a tar archive, whole or not at all. Private to synth/.

#include <cstddef>
#include <exception>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "core/output_file.h"

struct archive;  // libarchive's own name

namespace tessera {

// ustar, not compressed; owners, times and modes are fixed, so that the same files give the same bytes.
class TarWriter {
 public:
  // Throws UsageError for a target that is there already, ResourceError.
  explicit TarWriter(const std::filesystem::path& target);
  ~TarWriter() = default;  // removes an archive that was not put in its place
  TarWriter(const TarWriter&) = delete;
  TarWriter& operator=(const TarWriter&) = delete;

  void add(const std::string& name, std::span<const std::byte> bytes);
  void put_in_place();

 private:
  struct Close {
    void operator()(archive* open) const;
  };
  [[noreturn]] void fail(const std::string& reason) const;
  void check(int status) const;
  static long write(archive* tar, void* writer, const void* bytes, std::size_t size);  // libarchive calls it

  OutputFile file_;
  std::exception_ptr failure_;  // of writing, which libarchive cannot pass on
  std::string name_;
  std::unique_ptr<archive, Close> archive_;
};

}  // namespace tessera
