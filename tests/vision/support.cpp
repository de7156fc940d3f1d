#include "tests/vision/support.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "vision/decode.h"

namespace tessera::fixtures {

namespace {

std::filesystem::path folder(const char* name) { return std::filesystem::path(TESSERA_TEST_DATA) / name; }

nlohmann::json read_json(const std::filesystem::path& path) {
  std::ifstream file(path);
  return nlohmann::json::parse(file);
}

}  // namespace

const nlohmann::json& expected() {
  static const nlohmann::json json = read_json(folder("vision") / "expected.json");
  return json;
}

const nlohmann::json& expected_formats() {
  static const nlohmann::json json = read_json(folder("formats") / "expected.json");
  return json;
}

std::vector<std::byte> bytes_of(const std::string& file) { return read_picture_file(folder("vision") / file); }

std::vector<std::byte> format_bytes_of(const std::string& file) { return read_picture_file(folder("formats") / file); }

std::string digest(const std::vector<std::uint8_t>& bytes) {
  unsigned char hash[32];
  EVP_Digest(bytes.data(), bytes.size(), hash, nullptr, EVP_sha256(), nullptr);
  std::string text;
  for (const unsigned char byte : hash) text += fmt::format("{:02x}", byte);
  return text;
}

Image formula_picture(int width, int height) {
  Image image{width, height, {}};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const std::int64_t noise = (std::int64_t{x} * 7919 + std::int64_t{y} * 104729 + std::int64_t{x} * y * 31) % 23;
      image.pixels.push_back(static_cast<std::uint8_t>((x * 255 / std::max(1, width - 1) + noise) % 256));
      image.pixels.push_back(
          static_cast<std::uint8_t>((y * 255 / std::max(1, height - 1) + (x / 7 + y / 5) % 2 * 60) % 256));
      image.pixels.push_back(static_cast<std::uint8_t>(((x + y) * 3 + noise * 5) % 256));
    }
  }
  return image;
}

}  // namespace tessera::fixtures
