#pragma once
// What the tests of vision share: the fixtures made by tests/reference/vision.py and formats.py, and a formula picture.

#include <cstddef>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "vision/image.h"

namespace tessera::fixtures {

// expected.json of tests/data/vision, and of tests/data/formats.
const nlohmann::json& expected();
const nlohmann::json& expected_formats();

// A file of tests/data/vision, and of tests/data/formats.
std::vector<std::byte> bytes_of(const std::string& file);
std::vector<std::byte> format_bytes_of(const std::string& file);

// SHA-256 in hexadecimal.
std::string digest(const std::vector<std::uint8_t>& bytes);

// The same integers as formula() of tests/reference/vision.py.
Image formula_picture(int width, int height);

}  // namespace tessera::fixtures
