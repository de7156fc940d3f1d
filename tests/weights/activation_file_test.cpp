// Reference files: what goes in comes out, and the same care as with model files.

#include "weights/activation_file.h"

#include <random>

#include "tests/weights/model_file_fixture.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;

class ActivationFiles : public ModelFile {
 protected:
  void SetUp() override {
    ModelFile::SetUp();
    write_activation_file(path_, made());
  }
  static ActivationFile made() {
    ActivationFile reference{.model = "made here", .input = Tensor({2, 2, 2, 3}), .output_shape = {2, 3}};
    for (std::size_t i = 0; i < 24; ++i) reference.input.data()[i] = static_cast<float>(i) / 7;
    reference.output = {0.1, -2, 3, 1e-9, 5, 1e300};
    reference.activations.push_back({"all", {2, 2}, {}, {1, 2, 3, 4}});
    reference.activations.push_back({"some", {2, 50, 8}, {0, 17, 799}, {0.5, 0.25, -1}});
    return reference;
  }
  // Changes the index of a file that is otherwise whole.
  void expect_index_refused(const char* pointer, const nlohmann::json& value, const std::string& part) const {
    write_activation_file(path_, made());
    nlohmann::json index = read_json("/index");
    index[nlohmann::json::json_pointer(pointer)] = value;
    const hid_t file = H5Fopen(path_.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
    put_text(file, "/index", index.dump());
    H5Fclose(file);
    try {
      read_activation_file(path_);
      ADD_FAILURE() << "read; expected: " << part;
    } catch (const ModelFileError& error) {
      EXPECT_EQ(std::string(error.what()).find(path_.string()), 0U) << error.what();
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
  }
};

TEST_F(ActivationFiles, KeepEveryBit) {
  const ActivationFile found = read_activation_file(path_);
  const ActivationFile expected = made();
  EXPECT_EQ(found.model, expected.model);
  EXPECT_EQ(found.input.shape(), expected.input.shape());
  EXPECT_TRUE(std::ranges::equal(found.input.values(), expected.input.values()));
  EXPECT_EQ(found.output_shape, expected.output_shape);
  EXPECT_EQ(found.output, expected.output);
  ASSERT_EQ(found.activations.size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(found.activations[i].path, expected.activations[i].path);
    EXPECT_EQ(found.activations[i].shape, expected.activations[i].shape);
    EXPECT_EQ(found.activations[i].indices, expected.activations[i].indices);
    EXPECT_EQ(found.activations[i].values, expected.activations[i].values);
  }
}

TEST_F(ActivationFiles, RefuseAnIndexThatDoesNotFit) {
  using Json = nlohmann::json;
  expect_index_refused("/input", Json({2, 2, 2, 4}), "wrong shape");
  expect_index_refused("/input", Json({1 << 15, 1 << 15, 1 << 15}), "an impossible shape");
  expect_index_refused("/input", Json({1 << 9, 1 << 9, 1 << 9}), "wrong shape");
  expect_index_refused("/input", Json({-2, 2}), "an impossible shape");
  expect_index_refused("/input", Json({1, 1, 1, 1, 1, 24}), "too many dimensions");
  expect_index_refused("/output", "six", "its index is damaged");
  expect_index_refused("/output", Json({6}), "wrong shape");
  expect_index_refused("/activations/0/shape", Json({2, 3}), "all: wrong shape: expected [2, 3]");
  expect_index_refused("/activations/0/type", "f16", "all: unknown type");
  expect_index_refused("/activations/0/type", "f32", "all: wrong type");
  expect_index_refused("/activations/0/key", "../input", "a bad key");
  expect_index_refused("/activations/0/key", "9", "missing");
  expect_index_refused("/activations/1/shape", Json({2, 50, 7}), "some: a sample lies outside");
  expect_index_refused("/activations", 3, "its index is damaged");
  expect_index_refused("/model", 3, "its index is damaged");
}

// Files of before dumps keep all values of an activation as a vector, under a number.
TEST_F(ActivationFiles, TakeAVectorOfAllValuesWhereNoTypeIsSaid) {
  nlohmann::json index = read_json("/index");
  index["activations"][0].erase("type");
  index["activations"][0]["shape"] = {3, 1};
  index["activations"][0]["key"] = "vector";
  Hdf5Writer writer(folder_ / "old.h5");
  const std::vector<double> values{7, 8, 9};
  writer.write("/values/vector", Hdf5Type::kFloat64, {3}, values.data());
  writer.write_text("/index", index.dump());
  writer.commit();
  const ActivationReader reader(folder_ / "old.h5");
  EXPECT_EQ(reader.read(reader.activations()[0]).values, values);
  ActivationEntry larger = reader.activations()[0];
  larger.shape = {5, 1};
  EXPECT_THROW(reader.read(larger), ModelFileError);
}

TEST_F(ActivationFiles, KeepWholeActivationsInTheirShapeUnderTheirPath) {
  Tensor values({1, 2, 1, 3});
  for (std::size_t i = 0; i < 6; ++i) values.data()[i] = static_cast<float>(i) / 3;
  ActivationWriter writer(path_, "a dump", {{"graph", "raw"}});
  writer.add("layer1.0.conv1", "Conv2d", values.view());
  writer.add("a/b", "", values.view());  // HDF5 would make two groups of it
  writer.commit(Tensor::zeros({1, 2, 2, 3}).view(), {1, 2}, {3, 4});
  {
    const ActivationReader reader(path_);
    ASSERT_EQ(reader.activations().size(), 2U);
    EXPECT_EQ(reader.activations()[0].layer, "Conv2d");
    for (const ActivationEntry& entry : reader.activations()) {
      EXPECT_EQ(entry.shape, values.shape());
      const std::vector<double> found = reader.read(entry).values;
      EXPECT_TRUE(std::ranges::equal(found, values.values()));
    }
  }
  const hid_t file = H5Fopen(path_.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  const hid_t attribute = H5Aopen_by_name(file, "/values/layer1.0.conv1", "layout", H5P_DEFAULT, H5P_DEFAULT);
  ASSERT_GE(attribute, 0);
  const hid_t type = H5Aget_type(attribute);
  std::string layout(H5Tget_size(type), '\0');
  H5Aread(attribute, type, layout.data());
  EXPECT_EQ(layout, "NHWC");
  H5Tclose(type);
  H5Aclose(attribute);
  H5Fclose(file);
}

TEST_F(ActivationFiles, AreRefusedWhenCutOffOrForeign) {
  const std::string whole = bytes();
  for (std::size_t i = 0; i < 100; ++i) {
    write(whole.substr(0, whole.size() * i / 100));
    EXPECT_THROW(read_activation_file(path_), ModelFileError) << i;
  }
  const LoadedModel model = tiny_model();
  save_model_file(path_, model.card, model.weights);
  EXPECT_THROW(read_activation_file(path_), ModelFileError);
}

TEST_F(ActivationFiles, SurviveRandomFlips) {
  constexpr unsigned kSeed = 32;
  std::mt19937 random(kSeed);
  const std::string whole = bytes();
  int noticed = 0;
  for (int i = 0; i < 1000; ++i) {
    std::string damaged = whole;
    damaged[random() % damaged.size()] ^= static_cast<char>(1U << (random() % 8));
    write(damaged);
    try {
      read_activation_file(path_);
    } catch (const ModelFileError&) {
      ++noticed;
    } catch (const std::exception& error) {
      ADD_FAILURE() << "seed " << kSeed << ", flip " << i << ": " << error.what();
    }
  }
  EXPECT_GT(noticed, 100);
}

}  // namespace
}  // namespace tessera
