#pragma once
// SHA-256 (FIPS 180-4) by OpenSSL, as 64 hexadecimal digits.

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

namespace tessera {

std::string sha256(std::span<const std::byte> bytes);

// The hash of a whole file, read in pieces. Throws ModelFileError naming the file when it cannot be read.
std::string sha256_of_file(const std::filesystem::path& path);

}  // namespace tessera
