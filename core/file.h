#pragma once
// Files that are whole or not there.

#include <filesystem>
#include <string>

namespace tessera {

// Writes beside `path`, flushes to disk and renames: a reader finds the old text or the new one. Throws ResourceError.
void write_file(const std::filesystem::path& path, const std::string& text);

}  // namespace tessera
