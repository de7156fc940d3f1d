#pragma once
// The kind of a file, by its name and by its first bytes.

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

namespace tessera {

// An ending of torchvision's ImageFolder (.jpg .jpeg .png .ppm .bmp .pgm .tif .tiff .webp) or .gif, in any case.
bool is_picture_name(const std::filesystem::path& path);

// The number of bytes that the functions below need; fewer where the file is shorter.
constexpr std::size_t kFirstBytes = 512;
// "JPEG", "PNG", "BMP", "GIF", "PNM", "TIFF", "WebP", "HEIC" or "AVIF"; "" for anything else.
std::string_view picture_kind(std::string_view first);
// Of these, what torchvision's loader opens and decode() reads: all but HEIC and AVIF.
bool is_picture_content(std::string_view first);
// "gzip", "zip", "xz", "zstd", "bzip2", "7z", "rar"; "" for a file that is not packed.
std::string_view packing_of(std::string_view first);
// True for POSIX and GNU tars; those of Unix V7 have no mark.
bool is_tar_content(std::string_view first);
// The first bytes of a regular file; "" for anything else and for a file that cannot be read. Never waits on a pipe.
std::string first_bytes(const std::filesystem::path& path);

// Files that systems and tools leave beside a user's own: hidden files and folders (.DS_Store, ._x.jpg,
// .ipynb_checkpoints), __MACOSX, Thumbs.db, desktop.ini, @eaDir, $RECYCLE.BIN, "System Volume Information", lost+found.
bool is_junk_name(std::string_view name);

// The command that unpacks such a file.
std::string unpack_command(const std::filesystem::path& path, std::string_view packing);

}  // namespace tessera
