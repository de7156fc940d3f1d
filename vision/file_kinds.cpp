#include "vision/file_kinds.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "core/text.h"

namespace tessera {

namespace fs = std::filesystem;

namespace {

using std::string_view_literals::operator""sv;

template <std::size_t Size>
bool is_one_of(std::string_view text, const std::array<std::string_view, Size>& known) {
  return std::ranges::find(known, text) != known.end();
}

bool has_at(std::size_t place, std::string_view mark, std::string_view first) {
  return first.size() >= place && first.substr(place).starts_with(mark);
}

// Many texts begin with these two letters; only in a bitmap are the reserved bytes zero.
bool is_bmp(std::string_view first) { return first.starts_with("BM") && has_at(6, "\0\0\0\0"sv, first); }

// "P6 640 480 255", as the netpbm manuals have it.
bool is_pnm(std::string_view first) {
  if (first.size() < 4 || first[0] != 'P' || first[1] < '1' || first[1] > '6') return false;
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t next = first.find_first_not_of(kSpace, 2);
  const bool parted = kSpace.find(first[2]) != std::string_view::npos;
  return parted && next != std::string_view::npos && (first[next] == '#' || (first[next] >= '0' && first[next] <= '9'));
}

bool is_packed_tar(const fs::path& path) {
  constexpr std::array kShort{".tgz"sv, ".tbz"sv, ".tbz2"sv, ".txz"sv, ".tzst"sv, ".tar"sv};
  return is_one_of(lower_case(path.extension().string()), kShort) ||
         lower_case(path.stem().extension().string()) == ".tar";
}

// "photos" of photos.tar.gz.
std::string unpacked_name(const fs::path& path) {
  fs::path name = path.filename().stem();
  if (lower_case(name.extension().string()) == ".tar") name = name.stem();
  return (path.parent_path() / name).string();
}

}  // namespace

bool is_picture_name(const fs::path& path) {
  constexpr std::array kEndings{".jpeg"sv, ".jpg"sv, ".png"sv, ".bmp"sv,  ".gif"sv,
                                ".pgm"sv,  ".ppm"sv, ".tif"sv, ".tiff"sv, ".webp"sv};
  return is_one_of(lower_case(path.extension().string()), kEndings);
}

std::string_view picture_kind(std::string_view first) {
  if (first.starts_with("\xFF\xD8\xFF")) return "JPEG";
  if (first.starts_with("\x89PNG\r\n\x1A\n")) return "PNG";
  if (first.starts_with("GIF87a") || first.starts_with("GIF89a")) return "GIF";
  if (first.starts_with("II*\0"sv) || first.starts_with("MM\0*"sv)) return "TIFF";
  if (first.starts_with("II+\0"sv)) return "TIFF";  // BigTIFF; Pillow reads none of the other byte order
  if (first.starts_with("RIFF") && has_at(8, "WEBP", first)) return "WebP";
  // ISO 14496-12: a box of the type "ftyp" comes first, and its brand says what is in it.
  for (const std::string_view brand : {"ftypavif", "ftypavis"}) {
    if (has_at(4, brand, first)) return "AVIF";
  }
  for (const std::string_view brand : {"ftypheic", "ftypheix", "ftypmif1"}) {
    if (has_at(4, brand, first)) return "HEIC";
  }
  return is_bmp(first) ? "BMP" : is_pnm(first) ? "PNM" : "";
}

bool is_picture_content(std::string_view first) {
  const std::string_view kind = picture_kind(first);
  return !kind.empty() && kind != "HEIC" && kind != "AVIF";
}

std::string_view packing_of(std::string_view first) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kMarks{{{"\x1F\x8B"sv, "gzip"sv},
                                                                                 {"PK\x03\x04"sv, "zip"sv},
                                                                                 {"PK\x05\x06"sv, "zip"sv},
                                                                                 {"\xFD"
                                                                                  "7zXZ\0"sv,
                                                                                  "xz"sv},
                                                                                 {"\x28\xB5\x2F\xFD"sv, "zstd"sv},
                                                                                 {"BZh"sv, "bzip2"sv},
                                                                                 {"7z\xBC\xAF\x27\x1C"sv, "7z"sv},
                                                                                 {"Rar!\x1A\x07"sv, "rar"sv}}};
  const auto found = std::ranges::find_if(kMarks, [first](const auto& mark) { return first.starts_with(mark.first); });
  return found == kMarks.end() ? "" : found->second;
}

bool is_tar_content(std::string_view first) { return has_at(257, "ustar", first); }

std::string first_bytes(const fs::path& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return "";
  std::string first(kFirstBytes, '\0');
  struct stat status {};
  ssize_t got = -1;
  if (::fstat(file, &status) == 0 && S_ISREG(status.st_mode)) {
    do {
      got = ::pread(file, first.data(), first.size(), 0);
    } while (got < 0 && errno == EINTR);
  }
  ::close(file);
  first.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return first;
}

bool is_junk_name(std::string_view name) {
  constexpr std::array kSystem{"__macosx"sv, "thumbs.db"sv,    "ehthumbs.db"sv, "desktop.ini"sv,
                               "@eadir"sv,   "$recycle.bin"sv, "lost+found"sv,  "system volume information"sv};
  return name.starts_with('.') || is_one_of(lower_case(std::string(name)), kSystem);
}

std::string unpack_command(const fs::path& path, std::string_view packing) {
  const std::string file = shell_quoted(path.string()), folder = shell_quoted(unpacked_name(path));
  if (packing == "zip") return fmt::format("unzip {} -d {}", file, folder);
  if (packing == "7z") return fmt::format("7z x {} -o{}", file, folder);
  if (packing == "rar") return fmt::format("unrar x {} {}/", file, folder);
  if (is_packed_tar(path)) return fmt::format("mkdir {0} && tar -xf {1} -C {0}", folder, file);
  if (packing == "zstd") return fmt::format("zstd -dk {}", file);
  return fmt::format("{} -dk {}", packing, file);
}

}  // namespace tessera
