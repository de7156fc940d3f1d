#pragma once
// A folder with weights and configurations that a test writes, as other libraries would.

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/error.h"
#include "weights/convert.h"
#include "weights/seeded.h"

namespace tessera {

inline void write_safetensors(const std::filesystem::path& path, const WeightStore& weights) {
  nlohmann::json header = nlohmann::json::object();
  std::string data;
  for (const auto& [name, tensor] : weights.tensors()) {
    std::vector<std::int64_t> shape;
    for (int i = 0; i < tensor.shape().rank(); ++i) shape.push_back(tensor.shape()[i]);
    const std::size_t begin = data.size();
    data.append(reinterpret_cast<const char*>(tensor.data()), tensor.values().size_bytes());
    header[name] = {{"dtype", "F32"}, {"shape", shape}, {"data_offsets", {begin, data.size()}}};
  }
  const std::string text = header.dump();
  const std::uint64_t length = text.size();
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(&length), sizeof(length));
  file << text << data;
}

// The same tensors under other names.
inline WeightStore renamed(WeightStore weights, const std::function<std::string(const std::string&)>& rename) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : weights.tensors()) names.push_back(name);
  WeightStore result;
  for (const std::string& name : names) result.put(rename(name), weights.take(name));
  return result;
}

class WeightFolder : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("tessera-weight-folder-" + std::to_string(::getpid()));
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  static nlohmann::json pictures() {
    return {{"input_size", {3, 32, 32}}, {"crop_pct", 0.9},         {"interpolation", "bicubic"},
            {"crop_mode", "center"},     {"mean", {0.5, 0.5, 0.5}}, {"std", {0.5, 0.5, 0.5}}};
  }
  static ModelConfig tiny_vit(const nlohmann::json& changes = nlohmann::json::object()) {
    nlohmann::json parameters{{"image_size", 32}, {"dim", 16},    {"depth", 1},   {"heads", 2},
                              {"patch", 16},      {"classes", 5}, {"pos_grid", 2}};
    parameters.update(changes);
    return make_config("vit_tiny_patch16_224", parameters);
  }
  static nlohmann::json vit_config(const nlohmann::json& arguments = nlohmann::json::object()) {
    nlohmann::json all{{"embed_dim", 16}, {"depth", 1}, {"num_heads", 2}, {"img_size", 32}};
    all.update(arguments);
    return {{"architecture", "vit_tiny_patch16_224"}, {"model_args", all}, {"pretrained_cfg", pictures()}};
  }
  static ModelConfig tiny_resnet() {
    return make_config("resnet18", {{"image_size", 32}, {"width", 4}, {"depths", {1, 1, 1, 1}}, {"classes", 5}});
  }
  static nlohmann::json resnet_config(const nlohmann::json& arguments = nlohmann::json::object()) {
    nlohmann::json all{{"channels", {4, 8, 16, 32}}, {"layers", {1, 1, 1, 1}}};
    all.update(arguments);
    return {{"architecture", "resnet18"}, {"model_args", all}, {"pretrained_cfg", pictures()}};
  }
  static WeightStore weights_of(const ModelConfig& config) { return seeded_model(config, 3).weights; }

  static nlohmann::json with(nlohmann::json json, const nlohmann::json& changes) {
    json.update(changes);
    return json;
  }
  void put(const nlohmann::json& config, const nlohmann::json& changes) const { put(with(config, changes)); }
  void put(const nlohmann::json& config) const { std::ofstream(folder_ / "config.json") << config.dump(); }
  void put(const WeightStore& weights, const char* name = "model.safetensors") const {
    write_safetensors(folder_ / name, weights);
  }
  LoadedModel converted(ConvertOptions options = {}) {
    notes_.clear();
    options.note = [&](const std::string& text) { notes_ += text + "\n"; };
    return convert_safetensors(folder_, options);
  }
  void expect_refused(const std::string& part, const ConvertOptions& options = {}, const char* file = "") const {
    try {
      convert_safetensors(folder_ / file, options);
      ADD_FAILURE() << "converted; expected: " << part;
    } catch (const ModelFileError& error) {
      EXPECT_EQ(std::string(error.what()).find(folder_.string()), 0U) << error.what();
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos)
          << "'" << part << "' is not in: " << error.what();
    }
  }
  static void expect_equal(const WeightStore& a, const WeightStore& b) {
    ASSERT_EQ(a.tensors().size(), b.tensors().size());
    for (const auto& [name, tensor] : a.tensors()) {
      ASSERT_TRUE(b.contains(name)) << name;
      EXPECT_TRUE(std::ranges::equal(tensor.values(), b.at(name).values())) << name;
    }
  }

  std::filesystem::path folder_;
  std::string notes_;
};

}  // namespace tessera
