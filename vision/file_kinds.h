#pragma once
// What a file is by its name, and by its first bytes.

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

namespace tessera {

// An ending of torchvision's ImageFolder (.jpg .jpeg .png .ppm .bmp .pgm .tif .tiff .webp) or .gif, in any case.
bool is_picture_name(const std::filesystem::path& path);

// So many bytes are enough for the functions below; fewer where the file is shorter.
constexpr std::size_t kFirstBytes = 512;
// "JPEG", "PNG", "BMP", "GIF", "PNM", "TIFF", "WebP", "HEIC" or "AVIF"; "" for what is no picture.
std::string_view picture_kind(std::string_view first);
// Of these, what torchvision's loader opens and decode() reads: all but HEIC and AVIF.
bool is_picture_content(std::string_view first);
// "gzip", "zip", "xz", "zstd", "bzip2", "7z", "rar"; "" for what is not packed.
std::string_view packing_of(std::string_view first);
// POSIX and GNU tars; those of Unix V7 bear no mark.
bool is_tar_content(std::string_view first);
// Of a regular file; "" for anything else and for what cannot be read. Never waits on a pipe.
std::string first_bytes(const std::filesystem::path& path);

// What systems and tools leave beside a user's files: hidden files and folders (.DS_Store, ._x.jpg,
// .ipynb_checkpoints), __MACOSX, Thumbs.db, desktop.ini, @eaDir, $RECYCLE.BIN, "System Volume Information", lost+found.
bool is_junk_name(std::string_view name);

// What a user types to unpack such a file.
std::string unpack_command(const std::filesystem::path& path, std::string_view packing);

}  // namespace tessera
