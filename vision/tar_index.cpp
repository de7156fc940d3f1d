#include "vision/tar_index.h"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

#include <memory>

#include "core/error.h"

namespace tessera {

namespace {

struct CloseArchive {
  void operator()(archive* open) const { ::archive_read_free(open); }
};
using Archive = std::unique_ptr<archive, CloseArchive>;

[[noreturn]] void refuse(const std::filesystem::path& path, archive* open) {
  const char* const reason = ::archive_error_string(open);
  throw InputError(fmt::format("{}: is not a whole, uncompressed tar archive ({}); `tar -xf` or `gunzip` it first",
                               path.string(), reason == nullptr ? "unknown format" : reason));
}

Archive open_tar(const std::filesystem::path& path) {
  constexpr std::size_t kBlock = 64 << 10;
  Archive open(::archive_read_new());
  if (!open) throw ResourceError(path.string() + ": out of memory");
  // No filter is supported on purpose: inside a compressed stream nothing has an offset.
  ::archive_read_support_format_tar(open.get());
  if (::archive_read_open_filename(open.get(), path.c_str(), kBlock) != ARCHIVE_OK) refuse(path, open.get());
  return open;
}

void add_entry(const std::filesystem::path& path, archive* open, archive_entry* entry, std::uintmax_t length,
               TarIndex& index) {
  if (::archive_entry_filetype(entry) == AE_IFDIR) return;
  const char* const raw = ::archive_entry_pathname(entry);
  const bool plain = ::archive_entry_filetype(entry) == AE_IFREG && ::archive_entry_hardlink(entry) == nullptr &&
                     ::archive_entry_sparse_count(entry) == 0 && raw != nullptr;
  if (!plain) {
    ++index.others;
    return;
  }
  TarEntry found{.name = raw, .offset = ::archive_filter_bytes(open, 0), .size = ::archive_entry_size(entry)};
  while (found.name.starts_with("./")) found.name.erase(0, 2);
  if (found.offset < 0 || found.size < 0 || static_cast<std::uintmax_t>(found.offset) > length ||
      static_cast<std::uintmax_t>(found.size) > length - static_cast<std::uintmax_t>(found.offset)) {
    throw InputError(fmt::format("{}: the archive is cut off: {} would end at byte {} of {}", path.string(), found.name,
                                 found.offset + found.size, length));
  }
  index.entries.push_back(std::move(found));
}

}  // namespace

TarIndex index_tar(const std::filesystem::path& path) {
  std::error_code error;
  const std::uintmax_t length = std::filesystem::file_size(path, error);
  if (error) throw InputError(path.string() + ": cannot be read (" + error.message() + ")");
  const Archive open = open_tar(path);
  TarIndex index;
  while (true) {
    archive_entry* entry = nullptr;
    const int answer = ::archive_read_next_header(open.get(), &entry);
    if (answer == ARCHIVE_EOF) return index;
    if (answer != ARCHIVE_OK && answer != ARCHIVE_WARN) refuse(path, open.get());
    add_entry(path, open.get(), entry, length, index);
  }
}

}  // namespace tessera
