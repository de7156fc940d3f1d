#pragma once
// A tiny model in a file, and what tests do to it behind save_model_file's back.

#include <gtest/gtest.h>
#include <hdf5.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "core/error.h"
#include "weights/hdf5.h"
#include "weights/model_file.h"
#include "weights/seeded.h"
#include "weights/sha256.h"

namespace tessera {

inline ModelConfig tiny_config() {
  return make_config("vit_tiny_patch16_224",
                     {{"image_size", 32}, {"dim", 8}, {"depth", 1}, {"heads", 2}, {"classes", 5}, {"pos_grid", 2}});
}

inline LoadedModel tiny_model() {
  LoadedModel model = seeded_model(tiny_config(), 3);
  model.card.name = "tiny";
  model.card.preprocess = Preprocess::timm(32, 0.9, Filter::kBicubic, {0.5F, 0.5F, 0.5F}, {0.5F, 0.5F, 0.5F});
  model.card.labels = LabelSet::custom({"a", "b", "c", "d", "e"});
  model.card.source = {"a test", "none", "", "made here"};
  return model;
}

class ModelFile : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("tessera-weights-" + std::to_string(::getpid()));
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    path_ = folder_ / "model.h5";
    const LoadedModel model = tiny_model();
    save_model_file(path_, model.card, model.weights);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string bytes() const {
    std::ifstream file(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void write(const std::string& bytes) const { std::ofstream(path_, std::ios::binary) << bytes; }

  // What loading says, expecting a ModelFileError that begins with the path.
  std::string refused() const {
    const std::string text = error_of([&] { load_model_file(path_); });
    EXPECT_EQ(text.find(path_.string()), 0U) << text;
    // Weights that are read as they are taken are refused for the same reasons.
    EXPECT_EQ(error_of([&] { take_all(open_model_file(path_)); }), text);
    return text;
  }
  static std::string error_of(const std::function<void()>& load) {
    try {
      load();
    } catch (const ModelFileError& error) {
      EXPECT_EQ(error.exit_code(), 4);
      return error.what();
    }
    ADD_FAILURE() << "the file was loaded";
    return "";
  }
  static WeightStore take_all(const OpenedModel& model) {
    WeightStore weights;
    for (const WeightSpec& spec : build_graph(model.card.config).weight_specs()) {
      weights.put(spec.name, model.weights->take(spec));
    }
    return weights;
  }
  void expect_refused(const std::string& part) const {
    const std::string text = refused();
    EXPECT_NE(text.find(part), std::string::npos) << "'" << part << "' is not in: " << text;
  }

  // Opens the file with HDF5 itself and removes the head's bias, for the test to put something else in its place.
  void replace_head_bias(const std::function<void(hid_t file)>& put) const {
    const hid_t file = H5Fopen(path_.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
    ASSERT_GE(file, 0);
    H5Ldelete(file, kName, H5P_DEFAULT);
    put(file);
    ASSERT_GE(H5Fclose(file), 0);
  }
  static void create(hid_t file, hid_t type, std::vector<hsize_t> extents, hid_t properties = H5P_DEFAULT,
                     const void* values = nullptr, const char* name = kName) {
    const hid_t space = H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr);
    const hid_t dataset = H5Dcreate2(file, name, type, space, H5P_DEFAULT, properties, H5P_DEFAULT);
    ASSERT_GE(dataset, 0);
    if (values != nullptr) {
      EXPECT_GE(H5Dwrite(dataset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values), 0);
    }
    H5Dclose(dataset);
    H5Sclose(space);
  }

  static void put_text(hid_t file, const char* name, const std::string& text) {
    if (H5Lexists(file, name, H5P_DEFAULT) > 0) H5Ldelete(file, name, H5P_DEFAULT);
    create(file, H5T_STD_U8LE, {text.size()}, H5P_DEFAULT, nullptr, name);
    const hid_t dataset = H5Dopen2(file, name, H5P_DEFAULT);
    if (!text.empty()) H5Dwrite(dataset, H5T_STD_U8LE, H5S_ALL, H5S_ALL, H5P_DEFAULT, text.data());
    H5Dclose(dataset);
  }
  nlohmann::json read_json(const char* name) const {
    return nlohmann::json::parse(Hdf5Reader(path_).read_text(name, 1 << 20));
  }
  // Puts a card in place together with its digest, as one who means harm would.
  void set_card(const std::string& card) const {
    nlohmann::json manifest = read_json("/manifest");
    manifest["card"] = sha256(std::as_bytes(std::span(card)));
    set_manifest(manifest);
    const hid_t file = H5Fopen(path_.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
    put_text(file, "/card", card);
    ASSERT_GE(H5Fclose(file), 0);
  }
  void set_manifest(const nlohmann::json& manifest) const {
    const hid_t file = H5Fopen(path_.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
    put_text(file, "/manifest", manifest.dump());
    ASSERT_GE(H5Fclose(file), 0);
  }

  static constexpr const char* kName = "/weights/head.bias";
  static constexpr float kZeros[8] = {};
  std::filesystem::path folder_, path_;
};

}  // namespace tessera
