#include "synth/tar_writer.h"

#include <archive.h>
#include <archive_entry.h>

#include "core/error.h"

namespace tessera {

namespace fs = std::filesystem;

void TarWriter::Close::operator()(archive* open) const { ::archive_write_free(open); }

namespace {

const fs::path& new_target(const fs::path& target) {
  std::error_code error;
  const fs::file_status there = fs::symlink_status(target, error);
  if (fs::is_regular_file(there) || fs::is_symlink(there)) {
    throw UsageError(target.string() + ": is there already; give another name or remove it");
  }
  return target;
}

}  // namespace

long TarWriter::write(archive*, void* writer, const void* bytes, std::size_t size) {
  auto& tar = *static_cast<TarWriter*>(writer);
  try {
    tar.file_.write({static_cast<const char*>(bytes), size});
    return static_cast<long>(size);
  } catch (...) {
    tar.failure_ = std::current_exception();
    return -1;
  }
}

TarWriter::TarWriter(const fs::path& target)
    : file_(new_target(target)), name_(target.string()), archive_(::archive_write_new()) {
  if (archive_ == nullptr) fail("out of memory");
  check(::archive_write_set_format_ustar(archive_.get()));
  check(::archive_write_open(archive_.get(), this, nullptr, &TarWriter::write, nullptr));
}

void TarWriter::fail(const std::string& reason) const {
  throw ResourceError(name_ + ": cannot be written (" + reason + ")");
}

void TarWriter::check(int status) const {
  if (failure_) std::rethrow_exception(failure_);
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
  check(::archive_write_close(archive_.get()));
  file_.commit();
}

}  // namespace tessera
