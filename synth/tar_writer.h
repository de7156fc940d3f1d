#pragma once
// A tar archive that is whole or not there. Private to synth/.

#include <cstddef>
#include <exception>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "core/output_file.h"

struct archive;  // libarchive's own name

namespace tessera {

// ustar, not compressed; owners, times and modes are the same for all, so that the same files give the same bytes.
class TarWriter {
 public:
  // Throws UsageError for a target that is there already, ResourceError.
  explicit TarWriter(const std::filesystem::path& target);
  ~TarWriter() = default;  // what was not put in its place is removed
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
