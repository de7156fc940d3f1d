#pragma once
// What the tests of vision share: the fixtures made by tests/reference/vision.py and its formula picture.

#include <cstddef>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "vision/image.h"

namespace tessera::fixtures {

// tests/data/vision/expected.json.
const nlohmann::json& expected();

// A file of tests/data/vision.
std::vector<std::byte> bytes_of(const std::string& file);

// SHA-256 in hexadecimal.
std::string digest(const std::vector<std::uint8_t>& bytes);

// The same integers as formula() of tests/reference/vision.py.
Image formula_picture(int width, int height);

}  // namespace tessera::fixtures
