#include "vision/tar_index.h"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "core/error.h"

namespace tessera {

namespace {

struct CloseArchive {
  void operator()(archive* open) const { ::archive_read_free(open); }
};
using Archive = std::unique_ptr<archive, CloseArchive>;

[[noreturn]] void refuse(const std::filesystem::path& path, archive* open) {
  const char* const reason = ::archive_error_string(open);
  throw InputError(fmt::format("{}: is not a whole, uncompressed tar archive ({})", path.string(),
                               reason == nullptr ? "unknown format" : reason));
}

Archive open_tar(const std::filesystem::path& path) {
  constexpr std::size_t kBlock = 64 << 10;
  Archive open(::archive_read_new());
  if (!open) throw ResourceError(path.string() + ": out of memory");
  // On purpose no filter is supported: nothing inside a compressed stream has an offset.
  ::archive_read_support_format_tar(open.get());
  if (::archive_read_open_filename(open.get(), path.c_str(), kBlock) != ARCHIVE_OK) refuse(path, open.get());
  return open;
}

// "a/b" of "./a//b", "/a/b" and "a/./b".
std::string plain_name(std::string_view raw) {
  std::string name;
  while (!raw.empty()) {
    const std::size_t end = std::min(raw.find('/'), raw.size());
    const std::string_view part = raw.substr(0, end);
    if (!part.empty() && part != ".") name.append(name.empty() ? "" : "/").append(part);
    raw.remove_prefix(std::min(end + 1, raw.size()));
  }
  return name;
}

// libarchive gives no name in the process's locale where that lacks the letters.
std::string name_of(const char* local, const char* utf8) {
  if (local == nullptr) local = utf8;
  return local == nullptr ? "" : plain_name(local);
}

class Index {
 public:
  Index(const std::filesystem::path& path, std::uintmax_t length) : path_(path), length_(length) {}

  void add(archive* open, archive_entry* entry) {
    if (::archive_entry_filetype(entry) == AE_IFDIR) return;
    const std::string name = name_of(::archive_entry_pathname(entry), ::archive_entry_pathname_utf8(entry));
    const std::string target = name_of(::archive_entry_hardlink(entry), ::archive_entry_hardlink_utf8(entry));
    if (!target.empty()) {
      const auto found = by_name_.find(target);
      if (found != by_name_.end()) {
        TarEntry again = index_.entries[found->second];
        again.name = name;
        if (target != name) put(std::move(again));
        return;
      }
    }
    const bool plain =
        ::archive_entry_filetype(entry) == AE_IFREG && target.empty() && ::archive_entry_sparse_count(entry) == 0;
    if (plain && !name.empty()) {
      put(checked({.name = name, .offset = ::archive_filter_bytes(open, 0), .size = ::archive_entry_size(entry)}));
    } else {
      remove(name);
      index_.others.push_back(name);
    }
  }
  TarIndex take() && {
    std::erase_if(index_.entries, [](const TarEntry& entry) { return entry.name.empty(); });
    return std::move(index_);
  }

 private:
  TarEntry checked(TarEntry entry) const {
    if (entry.offset < 0 || entry.size < 0 || static_cast<std::uintmax_t>(entry.offset) > length_ ||
        static_cast<std::uintmax_t>(entry.size) > length_ - static_cast<std::uintmax_t>(entry.offset)) {
      throw InputError(fmt::format("{}: the archive is cut off: {} would end at byte {} of {}", path_.string(),
                                   entry.name, entry.offset + entry.size, length_));
    }
    return entry;
  }
  void put(TarEntry entry) {
    remove(entry.name);
    by_name_[entry.name] = index_.entries.size();
    index_.entries.push_back(std::move(entry));
  }
  void remove(const std::string& name) {
    const auto found = by_name_.find(name);
    if (found == by_name_.end()) return;
    index_.replaced.push_back(name);
    index_.entries[found->second].name.clear();
    by_name_.erase(found);
  }

  const std::filesystem::path& path_;
  std::uintmax_t length_;
  TarIndex index_;
  std::unordered_map<std::string, std::size_t> by_name_;
};

}  // namespace

TarIndex index_tar(const std::filesystem::path& path) {
  std::error_code error;
  const std::uintmax_t length = std::filesystem::file_size(path, error);
  if (error) throw InputError(path.string() + ": cannot be read (" + error.message() + ")");
  const Archive open = open_tar(path);
  Index index(path, length);
  while (true) {
    archive_entry* entry = nullptr;
    const int answer = ::archive_read_next_header(open.get(), &entry);
    if (answer == ARCHIVE_EOF) return std::move(index).take();
    if (answer != ARCHIVE_OK && answer != ARCHIVE_WARN) refuse(path, open.get());
    index.add(open.get(), entry);
  }
}

}  // namespace tessera
