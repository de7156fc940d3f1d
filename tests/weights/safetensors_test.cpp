// safetensors as untrusted input.

#include "weights/safetensors.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include "core/error.h"
#include "weights/convert.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;

const fs::path kData = fs::path(TESSERA_TEST_DATA) / "weights";

class Safetensors : public testing::Test {
 protected:
  void SetUp() override {
    path_ = fs::temp_directory_path() / ("tessera-" + std::to_string(::getpid()) + ".safetensors");
  }
  void TearDown() override { fs::remove(path_); }

  void write(const std::string& header, const std::string& data, std::int64_t claimed = -1) const {
    const std::uint64_t length = claimed < 0 ? header.size() : static_cast<std::uint64_t>(claimed);
    std::ofstream file(path_, std::ios::binary);
    file.write(reinterpret_cast<const char*>(&length), sizeof(length));
    file << header << data;
  }
  void expect_refused(const std::string& part) const {
    try {
      read_safetensors(path_);
      ADD_FAILURE() << "the file was read; expected: " << part;
    } catch (const ModelFileError& error) {
      EXPECT_EQ(std::string(error.what()).find(path_.string()), 0U) << error.what();
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
  }
  static std::string entry(const std::string& name, const std::string& dtype, const std::string& shape,
                           const std::string& offsets) {
    return "\"" + name + R"(":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
  }

  fs::path path_;
};

TEST_F(Safetensors, ReadsEveryFloatType) {
  const float f32 = 1.5F;
  const double f64 = -2.25;
  const std::uint16_t f16[] = {0x3E00, 0x0001, 0xFC00};  // 1.5, the smallest subnormal, -inf
  const std::uint16_t bf16 = 0xC040;                     // -3
  std::string data(4 + 8 + 6 + 2 + 8, '\0');
  std::memcpy(data.data(), &f32, 4);
  std::memcpy(data.data() + 4, &f64, 8);
  std::memcpy(data.data() + 12, f16, 6);
  std::memcpy(data.data() + 18, &bf16, 2);
  write("{" + entry("a", "F32", "[1]", "[0,4]") + "," + entry("b", "F64", "[]", "[4,12]") + "," +
            entry("c", "F16", "[3]", "[12,18]") + "," + entry("d", "BF16", "[1,1]", "[18,20]") + "," +
            entry("n", "I64", "[1]", "[20,28]") + R"(,"__metadata__":{"format":"pt"}})",
        data);
  const SafetensorsFile file = read_safetensors(path_);
  EXPECT_EQ(file.tensors.tensors().size(), 4U);  // the counter is left out
  EXPECT_EQ(file.tensors.at("a").data()[0], 1.5F);
  EXPECT_EQ(file.tensors.at("b").data()[0], -2.25F);
  EXPECT_EQ(file.tensors.at("b").shape(), Shape{});
  EXPECT_EQ(file.tensors.at("c").data()[0], 1.5F);
  EXPECT_EQ(file.tensors.at("c").data()[1], 0x1p-24F);
  EXPECT_EQ(file.tensors.at("c").data()[2], -HUGE_VALF);
  EXPECT_EQ(file.tensors.at("d").data()[0], -3.0F);
  EXPECT_EQ(file.metadata.at("format"), "pt");
}

TEST_F(Safetensors, RefusesBadHeaders) {
  write("", "", 1);
  expect_refused("is cut off");
  write("{}", "", 200'000'000);
  expect_refused("is cut off, or is not a safetensors file");
  write("{}", "", INT64_MAX);
  expect_refused("is cut off, or is not a safetensors file");
  write("not json", "");
  expect_refused("is not a JSON object");
  write("[]", "");
  expect_refused("is not a JSON object");
  write("{\"a\":\"\xff\xfe\"}", "");
  expect_refused("is not a JSON object");
  write(R"({"a":{"b":{"c":{"d":{"e":{"f":1}}}}}})", "");
  expect_refused("nested too deeply");
  write("{" + entry("a", "F32", "[1]", "[0,4]") + "," + entry("a", "F32", "[1]", "[0,4]") + "}", "0123");
  expect_refused("names 'a' twice");
  write(R"({"a":{"dtype":"F32","shape":[1]}})", "0123");
  expect_refused("a: expected dtype, shape and data_offsets");
  fs::remove(path_);
  expect_refused("cannot be opened");
}

TEST_F(Safetensors, RefusesAHeaderOfTooManyValues) {
  std::string ones = "[1";
  for (int i = 0; i < 3'000'000; ++i) ones += ",1";
  write(R"({"a":)" + ones + "]}", "");
  expect_refused("too many entries");
}

TEST_F(Safetensors, AreNotConvertedWhenQuantised) {
  write("{" + entry("conv1.weight", "I8", "[4]", "[0,4]") + "}", "0123");
  try {
    convert_safetensors(path_);
    FAIL();
  } catch (const ModelFileError& error) {
    EXPECT_NE(std::string(error.what()).find("wrong type: conv1.weight (I8)"), std::string::npos) << error.what();
  }
}

TEST_F(Safetensors, RefusesBadOffsetsAndShapes) {
  const std::pair<std::string, const char*> bad[] = {
      {entry("a", "F32", "[1]", "[0,8]"), "its offsets hold 8 bytes"},
      {entry("a", "F32", "[1]", "[4,0]"), "its offsets hold"},
      {entry("a", "F32", "[1]", "[-4,0]"), "not negative"},
      {entry("a", "F32", "[-1]", "[0,4]"), "not negative"},
      {entry("a", "F32", "[1.5]", "[0,4]"), "not negative"},
      {entry("a", "F32", "[4611686018427387904,4]", "[0,4]"), "impossible shape"},
      {entry("a", "F32", "[18446744073709551615]", "[0,4]"), "impossible shape"},
      {entry("a", "F32", "[1,1,1,1,1,1]", "[0,4]"), "too many dimensions"},
      {entry("a", "F8_E4M3", "[4]", "[0,4]"), "unknown dtype"},
      {entry("a", "F32", "[1]", "[0,4]") + "," + entry("b", "F32", "[1]", "[2,6]"), "overlaps"},
      {entry("a", "F32", "[1]", "[0,4]") + "," + entry("b", "F32", "[1]", "[8,12]"), "leaves a gap"},
      {entry("a", "F32", "[1]", "[4,8]"), "leaves a gap"},
      {entry("a", "F32", "[2]", "[0,8]"), "the file holds 4"},
  };
  for (const auto& [header, part] : bad) {
    write("{" + header + "}", "0123");
    expect_refused(part);
  }
  write("{" + entry("a", "F32", "[1]", "[0,4]") + "}", "012345");
  expect_refused("the file holds 6");
}

TEST_F(Safetensors, SurvivesRandomDamageAndTruncation) {
  std::ifstream source(kData / "hf_vit_hub" / "model.safetensors", std::ios::binary);
  const std::string whole(std::istreambuf_iterator<char>(source), {});
  constexpr unsigned kSeed = 77;
  std::mt19937 random(kSeed);
  int refused = 0;
  for (int i = 0; i < 1000; ++i) {
    std::string damaged = whole;
    damaged[random() % 3000] ^= static_cast<char>(1U << (random() % 8));  // in the header, where it matters
    if (i % 3 == 0) damaged.resize(random() % damaged.size());
    std::ofstream(path_, std::ios::binary) << damaged;
    try {
      convert_safetensors(path_);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kModelFile) << "seed " << kSeed << ": " << error.what();
      ++refused;
    }
  }
  EXPECT_GT(refused, 800);
}

}  // namespace
}  // namespace tessera
