#include "synth/tar_writer.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "core/error.h"

namespace tessera {

namespace fs = std::filesystem;

void TarWriter::Close::operator()(archive* open) const { ::archive_write_free(open); }

TarWriter::TarWriter(const fs::path& target) : target_(target), path_(target.string() + ".XXXXXX") {
  std::error_code error;
  if (fs::exists(fs::symlink_status(target_, error))) {
    throw UsageError(target_.string() + ": is there already; give another name or remove it");
  }
  file_ = ::mkostemp(path_.data(), O_CLOEXEC);
  if (file_ < 0) {
    const std::string reason = std::strerror(errno);
    throw ResourceError(target_.string() + ": cannot be made (" + reason + ")");
  }
  archive_.reset(::archive_write_new());
  if (archive_ == nullptr) fail("out of memory");
  check(::archive_write_set_format_ustar(archive_.get()));
  check(::archive_write_open_fd(archive_.get(), file_));
}

TarWriter::~TarWriter() {
  archive_.reset();
  if (file_ >= 0) ::close(file_);
  if (!path_.empty()) ::unlink(path_.c_str());
}

void TarWriter::fail(const std::string& reason) const {
  throw ResourceError(target_.string() + ": cannot be written (" + reason + ")");
}

void TarWriter::check(int status) const {
  if (status == ARCHIVE_OK) return;
  const char* const reason = ::archive_error_string(archive_.get());
  fail(reason == nullptr ? "libarchive does not say why" : reason);
}

void TarWriter::add(const std::string& name, std::span<const std::byte> bytes) {
  constexpr int kMode = 0644;
  struct Free {
    void operator()(archive_entry* entry) const { ::archive_entry_free(entry); }
  };
  const std::unique_ptr<archive_entry, Free> entry(::archive_entry_new());
  if (entry == nullptr) fail("out of memory");
  ::archive_entry_set_pathname(entry.get(), name.c_str());
  ::archive_entry_set_size(entry.get(), static_cast<la_int64_t>(bytes.size()));
  ::archive_entry_set_filetype(entry.get(), AE_IFREG);
  ::archive_entry_set_perm(entry.get(), kMode);
  ::archive_entry_set_mtime(entry.get(), 0, 0);
  check(::archive_write_header(archive_.get(), entry.get()));
  const la_ssize_t wrote = ::archive_write_data(archive_.get(), bytes.data(), bytes.size());
  if (wrote != static_cast<la_ssize_t>(bytes.size())) check(ARCHIVE_FATAL);
}

void TarWriter::put_in_place() {
  constexpr mode_t kMode = 0644;
  check(::archive_write_close(archive_.get()));
  if (::fchmod(file_, kMode) != 0 || (::fsync(file_) != 0 && errno != EINVAL)) fail(std::strerror(errno));
  if (::rename(path_.c_str(), target_.c_str()) != 0) fail(std::strerror(errno));
  path_.clear();
}

}  // namespace tessera
