// Model files: what goes in comes out, and a damaged or foreign file gives one ModelFileError that says what is wrong.

#include <cmath>
#include <cstring>
#include <random>

#include "tests/weights/model_file_fixture.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;

TEST_F(ModelFile, KeepsEveryBit) {
  const LoadedModel made = tiny_model();
  const LoadedModel found = load_model_file(path_, {.threads = 2});
  EXPECT_EQ(found.card.name, "tiny");
  EXPECT_EQ(found.card.config.architecture, "vit_tiny_patch16_224");
  EXPECT_EQ(found.card.config.parameters, made.card.config.parameters);
  EXPECT_EQ(found.card.preprocess, made.card.preprocess);
  EXPECT_EQ(found.card.labels.name(4), "e");
  EXPECT_EQ(found.card.source.origin, "a test");
  EXPECT_EQ(found.card.sha256.size(), 64U);
  EXPECT_EQ(read_model_card(path_).sha256, found.card.sha256);
  ASSERT_EQ(found.weights.tensors().size(), made.weights.tensors().size());
  for (const auto& [name, tensor] : made.weights.tensors()) {
    const Tensor& other = found.weights.at(name);
    ASSERT_EQ(other.shape(), tensor.shape()) << name;
    EXPECT_EQ(std::memcmp(other.data(), tensor.data(), tensor.values().size_bytes()), 0) << name;
  }
  for (const auto& entry : fs::directory_iterator(folder_))
    EXPECT_EQ(entry.path(), path_);  // no temporary file is left
}

TEST_F(ModelFile, NamesAMissingFile) {
  fs::remove(path_);
  expect_refused("No such file");
}

TEST_F(ModelFile, RefusesEmptyAndForeignFiles) {
  write("");
  expect_refused("is empty");
  write("PK\x03\x04 this is something else");
  expect_refused("is not an HDF5 file");
  fs::remove(path_);
  fs::create_directory(path_);
  expect_refused("is not a regular file");
}

TEST_F(ModelFile, RefusesAFileCutOffAnywhere) {
  const std::string whole = bytes();
  for (int i = 0; i < 200; ++i) {
    write(whole.substr(0, whole.size() * static_cast<std::size_t>(i) / 200));
    refused();
  }
}

TEST_F(ModelFile, SurvivesRandomFlips) {
  constexpr unsigned kSeed = 31;
  std::mt19937 random(kSeed);
  const std::string whole = bytes();
  const LoadedModel made = tiny_model();
  const LoadedModel whole_model = load_model_file(path_);
  int noticed = 0;
  for (int i = 0; i < 1000; ++i) {
    std::string damaged = whole;
    damaged[random() % damaged.size()] ^= static_cast<char>(1U << (random() % 8));
    write(damaged);
    try {
      // What loads in spite of the flip (it lay in unused space) must have the very same weights.
      const LoadedModel found = load_model_file(path_);
      ASSERT_EQ(found.card.config.parameters, whole_model.card.config.parameters);
      ASSERT_EQ(found.card.preprocess, whole_model.card.preprocess);
      ASSERT_EQ(found.card.sha256, whole_model.card.sha256);
      for (const auto& [name, tensor] : made.weights.tensors()) {
        ASSERT_EQ(std::memcmp(found.weights.at(name).data(), tensor.data(), tensor.values().size_bytes()), 0)
            << "seed " << kSeed << ", flip " << i;
      }
    } catch (const ModelFileError&) {
      ++noticed;
    }
  }
  EXPECT_GT(noticed, 300);
}

// FIPS 180-4's own examples.
TEST(Sha256, HasTheStandardsValues) {
  const std::string abc = "abc", none;
  EXPECT_EQ(sha256(std::as_bytes(std::span(abc))), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256(std::as_bytes(std::span(none))), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST_F(ModelFile, NoticesAChangedWeight) {
  const hid_t file = H5Fopen(path_.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  const hid_t dataset = H5Dopen2(file, kName, H5P_DEFAULT);
  H5Dwrite(dataset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, kZeros);
  H5Dclose(dataset);
  H5Fclose(file);
  expect_refused("wrong SHA-256: head.bias");
  EXPECT_NO_THROW(load_model_file(path_, {.verify = false}));
}

TEST_F(ModelFile, ListsMissingAndUnexpectedTensorsTogether) {
  const hid_t file = H5Fopen(path_.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  H5Lmove(file, kName, file, "/weights/head.offset", H5P_DEFAULT, H5P_DEFAULT);
  H5Ldelete(file, "/weights/norm.weight", H5P_DEFAULT);
  H5Fclose(file);
  const std::string text = refused();
  for (const char* part :
       {"head.bias [5]: missing", "norm.weight [8]: missing", "unexpected: head.offset", "3 tensor(s)"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " is not in " << text;
  }
}

TEST_F(ModelFile, NamesNotFiniteValuesWithTheirIndex) {
  for (const float bad : {std::nanf(""), HUGE_VALF, -HUGE_VALF}) {
    LoadedModel model = tiny_model();
    Tensor bias = model.weights.take("head.bias");
    bias.data()[2] = bad;
    model.weights.put("head.bias", std::move(bias));
    // Written behind save_model_file's back, which would refuse it.
    replace_head_bias(
        [&](hid_t file) { create(file, H5T_IEEE_F32LE, {5}, H5P_DEFAULT, model.weights.at("head.bias").data()); });
    try {
      load_model_file(path_, {.verify = false});
      FAIL();
    } catch (const ModelFileError& error) {
      EXPECT_NE(std::string(error.what()).find("head.bias has a NaN or infinite value at index 2"), std::string::npos);
    }
    EXPECT_THROW(save_model_file(folder_ / "bad.h5", model.card, model.weights), ModelFileError);
    EXPECT_FALSE(fs::exists(folder_ / "bad.h5"));
  }
}

TEST_F(ModelFile, NoticesAChangedCard) {
  std::string card = Hdf5Reader(path_).read_text("/card", 1 << 20);
  const hid_t file = H5Fopen(path_.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  put_text(file, "/card", card + " ");
  H5Fclose(file);
  expect_refused("wrong SHA-256 of its card");
  EXPECT_THROW(read_model_card(path_), ModelFileError);
}

TEST_F(ModelFile, RefusesADamagedCard) {
  const std::pair<std::string, const char*> bad[] = {
      {"", "its card is not a JSON object"},
      {"[]", "its card is not a JSON object"},
      {"{}", "does not say \"format\""},
      {R"({"format": 3})", "its card or manifest is damaged"},
      {R"({"format": "tessera-model", "version": 99})", "format version 99; this tessera reads version 1"},
      {R"({"format": "tessera-model", "version": 1})", "its card or manifest is damaged"},
      {"{\"format\": ", "its card is not a JSON object"},
      {"{\"format\": \"\xff\"}", "its card is not a JSON object"},
      {std::string(100'000, '['), "nests too deeply"},
  };
  for (const auto& [card, part] : bad) {
    set_card(card);
    expect_refused(part);
  }
}

TEST_F(ModelFile, RefusesACardThatDoesNotMakeSense) {
  using Json = nlohmann::json;
  const auto calibration = [](const Json& range) -> Json {
    return {{"pictures", 1}, {"method", "mse"}, {"ranges", {{"norm", range}}}};
  };
  const Json good = read_json("/card");
  const std::tuple<const char*, Json, const char*> bad[] = {
      {"/architecture", "resnet51", "unknown architecture 'resnet51'"},
      {"/architecture", 3, "its card or manifest is damaged"},
      {"/name", "\x1b[2J", "its name is not plain text"},
      {"/parameters/depth", 1'000'000'000, "the parameter depth is 1000000000; at most 1000 is read"},
      {"/parameters/dim", std::int64_t{1} << 51, "the parameter dim is"},
      {"/parameters/mlp_ratio", 1e8, "the parameter mlp_ratio is"},
      {"/parameters/dim", -8, "vit:"},
      {"/parameters/heads", 0, "vit:"},
      {"/parameters/dim", "wide", "cannot be used"},
      {"/parameters/width", 8, "width"},
      {"/preprocess/std/0", 0.0, "preprocessing"},
      {"/preprocess/resize", 1 << 30, "preprocessing"},
      {"/labels", Json::array({"a", "b"}), "2 labels for 5 classes"},
      {"/source/origin", Json::array(), "its card or manifest is damaged"},
      {"/calibration", calibration(Json::array({2, 1})), "the calibrated range of norm is [2,1]"},
      {"/calibration", calibration(Json::array({0, 1e39})), "impossible number"},
      {"/calibration", calibration(Json::array({0})), "its card or manifest is damaged"},
      {"/calibration", calibration("wide"), "its card or manifest is damaged"},
      {"/calibration", 3, "its card or manifest is damaged"},
  };
  for (const auto& [path, value, part] : bad) {
    Json card = good;
    card[Json::json_pointer(path)] = value;
    set_card(card.dump());
    expect_refused(part);
  }
}

TEST_F(ModelFile, RefusesADamagedManifest) {
  const nlohmann::json good = read_json("/manifest");
  nlohmann::json manifest = good;
  manifest["tensors"].erase("head.bias");
  manifest["tensors"]["head.offset"] = "";
  set_manifest(manifest);
  const std::string text = refused();
  EXPECT_NE(text.find("not in the manifest: head.bias"), std::string::npos) << text;
  EXPECT_NE(text.find("unexpected: head.offset"), std::string::npos) << text;
  for (const char* bad : {"[]", "{}", R"({"card": 1})", R"({"card": "", "tensors": []})"}) {
    set_manifest(nlohmann::json::parse(bad));
    refused();
  }
}

TEST_F(ModelFile, RefusesAnotherModelsWeights) {
  const std::string card = Hdf5Reader(path_).read_text("/card", 1 << 20);
  const LoadedModel other = seeded_model(make_config("resnet18"), 1, 2);
  save_model_file(path_, other.card, other.weights);
  set_card(card);
  const std::string text = refused();
  for (const char* part :
       {"unexpected: layer1.0.conv1.weight", "cls_token [1, 1, 8]: missing", "head.bias [5]: missing"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " is not in " << text;
  }
}

TEST_F(ModelFile, IsKnownByTheHashOfItsWeightsAlone) {
  LoadedModel model = tiny_model();
  std::string lines;
  for (const auto& [name, tensor] : model.weights.tensors()) {
    lines += name + " " + sha256(std::as_bytes(tensor.values())) + "\n";
  }
  const std::string hash = sha256(std::as_bytes(std::span(lines)));
  EXPECT_EQ(read_model_card(path_).sha256, hash);
  model.card.name = "another name";
  EXPECT_EQ(save_model_file(folder_ / "renamed.h5", model.card, model.weights).sha256, hash);
  Tensor bias = model.weights.take("head.bias");
  bias.data()[0] += 1;
  model.weights.put("head.bias", std::move(bias));
  EXPECT_NE(save_model_file(folder_ / "changed.h5", model.card, model.weights).sha256, hash);
}

// What a run reports is what it loaded, though the file is replaced while it runs.
TEST_F(ModelFile, KeepsTheHashOfWhatWasLoaded) {
  const LoadedModel first = load_model_file(path_);
  LoadedModel other = seeded_model(tiny_config(), 4);
  other.card.preprocess = first.card.preprocess;
  save_model_file(path_, other.card, other.weights);
  EXPECT_NE(read_model_card(path_).sha256, first.card.sha256);
  EXPECT_TRUE(
      std::ranges::equal(first.weights.at("head.bias").values(), tiny_model().weights.at("head.bias").values()));
}

// Whoever has opened a file goes on reading it, though another is put in its place.
TEST_F(ModelFile, IsTakenFromTheFileThatWasOpened) {
  const OpenedModel opened = open_model_file(path_);
  LoadedModel other = seeded_model(tiny_config(), 4);
  other.card.preprocess = opened.card.preprocess;
  save_model_file(path_, other.card, other.weights);
  const LoadedModel made = tiny_model();
  const WeightStore taken = take_all(opened);
  for (const auto& [name, tensor] : made.weights.tensors()) {
    EXPECT_TRUE(std::ranges::equal(taken.at(name).values(), tensor.values())) << name;
  }
}

// Another program wrote it as docs/model-format.md says, with NumPy's seeded values and half of the tensors packed.
// The second is in the format of HDF5 1.10, which differs in every structure, the third has chunks of every kind there.
TEST_F(ModelFile, IsReadWhenMadeWithH5py) {
  for (const char* name : {"h5py.h5", "h5py_v110.h5", "h5py_chunks.h5"}) {
    const LoadedModel found = load_model_file(fs::path(TESSERA_TEST_DATA) / "weights" / name, {.threads = 2});
    EXPECT_EQ(found.card.labels.name(2), "crane");
    const std::vector<WeightSpec> specs = build_graph(found.card.config).weight_specs();
    ASSERT_EQ(specs.size(), found.weights.tensors().size());
    for (const WeightSpec& spec : specs) {
      EXPECT_TRUE(std::ranges::equal(found.weights.at(spec.name).values(), seeded_tensor(spec, 5).values()))
          << name << ": " << spec.name;
    }
  }
}

TEST_F(ModelFile, NamesUnexpectedTensorsInTheNewerFormat) {
  write("");
  fs::copy_file(fs::path(TESSERA_TEST_DATA) / "weights" / "h5py_v110.h5", path_, fs::copy_options::overwrite_existing);
  replace_head_bias([](hid_t file) {
    create(file, H5T_IEEE_F32LE, {3}, H5P_DEFAULT, kZeros);
    create(file, H5T_IEEE_F32LE, {3}, H5P_DEFAULT, kZeros, "/weights/head.offset");
  });
  expect_refused("unexpected: head.offset");
}

TEST_F(ModelFile, LeavesTheOldFileWhenAWriteFails) {
  const std::string before = bytes();
  LoadedModel model = tiny_model();
  model.weights.take("head.bias");
  EXPECT_THROW(save_model_file(path_, model.card, model.weights), ModelFileError);
  EXPECT_EQ(bytes(), before);
  EXPECT_THROW(save_model_file(folder_ / "no" / "folder.h5", tiny_model().card, tiny_model().weights), ResourceError);
}

// A file that is written is a file that can be read.
TEST_F(ModelFile, RefusesToWriteACardThatItWouldNotRead) {
  const auto refused = [&](const std::function<void(ModelCard&)>& change, const std::string& part) {
    LoadedModel model = tiny_model();
    change(model.card);
    const std::string text = error_of([&] { save_model_file(path_, model.card, model.weights); });
    EXPECT_NE(text.find(part), std::string::npos) << text;
    EXPECT_EQ(load_model_file(path_).card.name, "tiny");  // what was there is there
  };
  refused([](ModelCard& card) { card.name = "a\nb"; }, "its name is not plain text");
  refused(
      [](ModelCard& card) {
        card.name =
            "\xc2\x9b"
            "2J";
      },
      "its name is not plain text");
  refused([](ModelCard& card) { card.name = std::string(4097, 'x'); }, "its name is too long: 4097 bytes");
  refused([](ModelCard& card) { card.name = "caf\xe9"; }, "not UTF-8");
  refused(
      [](ModelCard& card) {
        card.labels = LabelSet::custom({"a", "b", "c\x1b[2J", "d", "e"});
      },
      "its label of class 2 is not plain text");
  refused([](ModelCard& card) { card.labels = LabelSet::custom({"a", "b"}); }, "2 labels for 5 classes");
  refused([](ModelCard& card) { card.source.origin = "\x7f"; }, "its origin is not plain text");
  refused([](ModelCard& card) { card.preprocess.std[1] = 0; }, "std 0 of channel 1 cannot be");
}

TEST_F(ModelFile, KeepsWhoseDefaultsItFollows) {
  LoadedModel model = tiny_model();
  model.card.follows = "transformers 5.23";
  save_model_file(path_, model.card, model.weights);
  EXPECT_EQ(read_model_card(path_).follows, "transformers 5.23");
}

}  // namespace
}  // namespace tessera
