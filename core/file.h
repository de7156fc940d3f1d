#pragma once
// Files that are whole or not there.

#include <cstdint>
#include <filesystem>
#include <string>

namespace tessera {

// The whole file. Throws InputError naming the path when it cannot be read or has more than `most` bytes.
std::string read_file(const std::filesystem::path& path, std::uintmax_t most);

// Writes beside `path`, flushes to disk and renames: a reader finds the old text or the new one. Throws ResourceError.
void write_file(const std::filesystem::path& path, const std::string& text);

// Makes the folder, and those above it, where it is not there. Throws ResourceError.
void make_folder(const std::filesystem::path& folder);

}  // namespace tessera
