#include "vision/decode.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <new>

#include "core/error.h"
#include "core/nearest.h"
#include "vision/bmp.h"
#include "vision/file_kinds.h"
#include "vision/gif.h"
#include "vision/jpeg.h"
#include "vision/pixel_limit.h"
#include "vision/png.h"
#include "vision/pnm.h"
#include "vision/stb.h"
#include "vision/tiff.h"
#include "vision/webp.h"

namespace tessera {

namespace {

constexpr std::int64_t kLargestFile = std::int64_t{1} << 30;

Image decode_by_stb(std::span<const std::byte> bytes, const std::string& name, const DecodeOptions& options) {
  const StbHeader header = stb_header(bytes, name);
  check_pixels(header.width, header.height, name, options);
  return stb_decode(bytes, name, header);
}

Image decode_jpeg(std::span<const std::byte> bytes, const std::string& name, const DecodeOptions& options) {
  return options.decoder == Decoder::kStb ? decode_by_stb(bytes, name, options) : jpeg_decode(bytes, name, options);
}

struct Format {
  std::string_view kind;  // as picture_kind() has it
  Image (*decode)(std::span<const std::byte> bytes, const std::string& name, const DecodeOptions& options);
};

constexpr std::array<Format, 7> kFormats{{{"JPEG", decode_jpeg},
                                          {"PNG", png_decode},
                                          {"WebP", webp_decode},
                                          {"GIF", gif_decode},
                                          {"BMP", bmp_decode},
                                          {"TIFF", tiff_decode},
                                          {"PNM", pnm_decode}}};

class Descriptor {
 public:
  explicit Descriptor(int descriptor) : descriptor_(descriptor) {}
  ~Descriptor() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return descriptor_; }

 private:
  int descriptor_;
};

[[noreturn]] void fail(const std::string& name, const std::string& reason) { throw InputError(name + ": " + reason); }
[[noreturn]] void fail_by_errno(const std::string& name, const char* what) {
  fail(name, std::string(what) + " (" + std::strerror(errno) + ")");
}

// Without waiting on a pipe.
int open_for_reading(const std::filesystem::path& path, const std::string& name) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) fail_by_errno(name, "cannot be opened");
  return file;
}

std::int64_t regular_size(int file, const std::string& name) {
  struct stat status {};
  if (::fstat(file, &status) != 0) fail_by_errno(name, "cannot be read");
  if (S_ISDIR(status.st_mode)) fail(name, "is a folder, not a picture");
  if (!S_ISREG(status.st_mode)) fail(name, "is not a regular file");
  return status.st_size;
}

std::vector<std::byte> bytes_for(std::int64_t size, const std::string& name) {
  try {
    return std::vector<std::byte>(static_cast<std::size_t>(size));
  } catch (const std::bad_alloc&) {
    if (static_cast<std::size_t>(size) < kLargeAllocation) throw ResourceError(name + ": not enough memory to read it");
    fail(name, "not enough memory for its " + std::to_string(size) + " bytes");
  }
}

std::vector<std::byte> read_part(int file, std::int64_t offset, std::int64_t size, const std::string& name) {
  if (size == 0) fail(name, "is empty");
  if (size > kLargestFile) fail(name, "is larger than 1 GiB; this is no picture");
  std::vector<std::byte> bytes = bytes_for(size, name);
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t got =
        ::pread(file, bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset) + static_cast<off_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_by_errno(name, "cannot be read");
    if (got == 0) fail(name, "became shorter while it was read");
    done += static_cast<std::size_t>(got);
  }
  return bytes;
}

}  // namespace

Decoder decoder_from_string(std::string_view name) {
  if (name == "auto") return Decoder::kAuto;
  if (name == "stb") return Decoder::kStb;
  throw UsageError(unknown_word("decoder", name, std::vector<std::string>{"auto", "stb"}));
}

Image decode(std::span<const std::byte> bytes, const std::string& name, const DecodeOptions& options) {
  if (bytes.size() > static_cast<std::size_t>(kLargestFile)) fail(name, "is larger than 1 GiB");
  const std::string_view first(reinterpret_cast<const char*>(bytes.data()), std::min(bytes.size(), kFirstBytes));
  const std::string_view kind = picture_kind(first);
  const auto format = std::ranges::find(kFormats, kind, &Format::kind);
  if (format == kFormats.end()) {
    throw InputError(name + ": no picture that is read (JPEG, PNG, WebP, GIF, BMP, TIFF, PNM)" +
                     (kind.empty() ? "" : ", but one of the kind " + std::string(kind) + "; convert it to PNG"));
  }
  try {
    return format->decode(bytes, name, options);
  } catch (const std::bad_alloc&) {
    throw ResourceError(name + ": not enough memory to decode the picture");
  }
}

std::vector<std::byte> read_picture_file(const std::filesystem::path& path) {
  const Descriptor file(open_for_reading(path, path.string()));
  return read_part(file.get(), 0, regular_size(file.get(), path.string()), path.string());
}

std::vector<std::byte> read_picture_part(const std::filesystem::path& path, std::int64_t offset, std::int64_t size,
                                         const std::string& name) {
  const Descriptor file(open_for_reading(path, name));
  const std::int64_t length = regular_size(file.get(), name);
  if (offset < 0 || size < 0 || offset > length || size > length - offset) fail(name, "lies beyond the archive's end");
  return read_part(file.get(), offset, size, name);
}

}  // namespace tessera
