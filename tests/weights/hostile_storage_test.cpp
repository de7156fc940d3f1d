// Datasets that lie elsewhere, are of another kind, or claim more than they hold: refused before they are read.

#include <sys/resource.h>
#include <sys/stat.h>

#include "tests/weights/model_file_fixture.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;

class Properties {
 public:
  explicit Properties(hid_t id) : id_(id) {}
  Properties(const Properties&) = delete;
  Properties& operator=(const Properties&) = delete;
  ~Properties() { H5Pclose(id_); }
  hid_t get() const { return id_; }

 private:
  hid_t id_;
};

Properties chunked(hsize_t length) {
  const hid_t id = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_chunk(id, 1, &length);
  return Properties(id);
}

TEST_F(ModelFile, RefusesAWrongShape) {
  replace_head_bias([](hid_t file) { create(file, H5T_IEEE_F32LE, {6}, H5P_DEFAULT, kZeros); });
  expect_refused("wrong shape: expected [5], found [6]");
}

TEST_F(ModelFile, RefusesOtherTypes) {
  for (const hid_t type : {H5T_IEEE_F64LE, H5T_STD_I32LE, H5T_IEEE_F32BE, H5T_STD_U8LE}) {
    replace_head_bias([type](hid_t file) { create(file, type, {5}, H5P_DEFAULT, kZeros); });
    expect_refused("head.bias [5]: wrong type: expected little-endian float32");
  }
}

TEST_F(ModelFile, RefusesExternalStorage) {
  const fs::path secret = folder_ / "secret";
  std::ofstream(secret) << "0123456789012345678901234567890123456789";
  replace_head_bias([&](hid_t file) {
    const hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_external(properties, secret.c_str(), 0, 20);
    create(file, H5T_IEEE_F32LE, {5}, properties);
    H5Pclose(properties);
  });
  expect_refused("is stored outside the file");
}

TEST_F(ModelFile, RefusesSoftAndExternalLinks) {
  replace_head_bias([](hid_t file) { H5Lcreate_soft("/weights/norm.bias", file, kName, H5P_DEFAULT, H5P_DEFAULT); });
  expect_refused("is a soft or external link");
  replace_head_bias(
      [&](hid_t file) { H5Lcreate_external("other.h5", "/weights/head.bias", file, kName, H5P_DEFAULT, H5P_DEFAULT); });
  expect_refused("is a soft or external link");
}

TEST_F(ModelFile, RefusesALinkedGroup) {
  const hid_t file = H5Fopen(path_.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  H5Lmove(file, "/weights", file, "/elsewhere", H5P_DEFAULT, H5P_DEFAULT);
  H5Lcreate_soft("/elsewhere", file, "/weights", H5P_DEFAULT, H5P_DEFAULT);
  H5Fclose(file);
  expect_refused("is a soft or external link");
}

TEST_F(ModelFile, RefusesAPipeWithoutWaiting) {
  fs::remove(path_);
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  expect_refused("is not a regular file");
}

TEST_F(ModelFile, RefusesGroupsAndCompactDatasets) {
  replace_head_bias([](hid_t file) { H5Gclose(H5Gcreate2(file, kName, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT)); });
  expect_refused("is not a dataset");
  replace_head_bias([](hid_t file) {
    const hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_layout(properties, H5D_COMPACT);
    create(file, H5T_IEEE_F32LE, {5}, properties, kZeros);
    H5Pclose(properties);
  });
  expect_refused("is neither contiguous nor chunked");
}

TEST_F(ModelFile, RefusesDataThatWasNeverWritten) {
  replace_head_bias([](hid_t file) { create(file, H5T_IEEE_F32LE, {5}); });
  expect_refused("has no data stored");
  replace_head_bias([](hid_t file) { create(file, H5T_IEEE_F32LE, {5}, chunked(2).get()); });
  expect_refused("not all of its chunks are stored");
}

// HDF5 1.10.8 divides by it when the dataset is opened.
TEST_F(ModelFile, RefusesChunksWithoutElements) {
  replace_head_bias([](hid_t file) { create(file, H5T_IEEE_F32LE, {5}, chunked(3).get(), kZeros); });
  std::string file = bytes();
  // The layout message: version 3, chunked, two dimensions; an address of 8 bytes; 3 elements of 4 bytes.
  const std::string dimensions("\x03\0\0\0\x04\0\0\0", 8);
  std::size_t found = 0;
  for (std::size_t at = 11; at + 8 <= file.size(); ++at) {
    if (file.compare(at, 8, dimensions) != 0 || file.compare(at - 11, 3, "\x03\x02\x02") != 0) continue;
    file[at] = 0;
    ++found;
  }
  ASSERT_EQ(found, 1U);
  write(file);
  expect_refused("head.bias [5]: has chunks without elements");
}

TEST_F(ModelFile, RefusesAChunkThatSkipsItsFilters) {
  replace_head_bias([](hid_t file) {
    const Properties properties = chunked(5);
    H5Pset_deflate(properties.get(), 9);
    create(file, H5T_IEEE_F32LE, {5}, properties.get());
    const hid_t dataset = H5Dopen2(file, kName, H5P_DEFAULT);
    hsize_t origin = 0;
    H5Dwrite_chunk(dataset, H5P_DEFAULT, 1, &origin, 20, kZeros);
    H5Dclose(dataset);
  });
  expect_refused("chunk 0 is damaged");
}

// Zeros pack a thousand to one: 32 MB of them in some 32 KB, of the very shape that the card asks for.
TEST_F(ModelFile, RefusesAFileThatHoldsFarLessThanItsWeights) {
  constexpr hsize_t kClasses = 1'000'000;
  nlohmann::json card = read_json("/card");
  card["parameters"]["classes"] = kClasses;
  card["labels"] = nullptr;
  set_card(card.dump());
  const std::vector<float> zeros(kClasses * 8);
  replace_head_bias([&](hid_t file) {
    H5Ldelete(file, "/weights/head.weight", H5P_DEFAULT);
    const Properties bias = chunked(kClasses);
    H5Pset_deflate(bias.get(), 9);
    create(file, H5T_IEEE_F32LE, {kClasses}, bias.get(), zeros.data());
    const Properties weight(H5Pcreate(H5P_DATASET_CREATE));
    const hsize_t chunk[] = {kClasses, 8};
    H5Pset_chunk(weight.get(), 2, chunk);
    H5Pset_deflate(weight.get(), 9);
    create(file, H5T_IEEE_F32LE, {kClasses, 8}, weight.get(), zeros.data(), "/weights/head.weight");
  });
  expect_refused("no trained weights pack so well");
}

TEST_F(ModelFile, RefusesAVirtualDataset) {
  replace_head_bias([&](hid_t file) {
    hsize_t five = 5;
    const hid_t space = H5Screate_simple(1, &five, nullptr);
    const hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_virtual(properties, space, (folder_ / "other.h5").c_str(), "/data", space);
    create(file, H5T_IEEE_F32LE, {5}, properties);
    H5Pclose(properties);
    H5Sclose(space);
  });
  expect_refused("is neither contiguous nor chunked");
}

TEST_F(ModelFile, RefusesAHugeShapeWithoutTakingMemory) {
  replace_head_bias([](hid_t file) {
    const hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    hsize_t chunk = 1024;
    H5Pset_chunk(properties, 1, &chunk);
    create(file, H5T_IEEE_F32LE, {hsize_t{1} << 51}, properties);
    H5Pclose(properties);
  });
  rusage before{}, after{};
  getrusage(RUSAGE_SELF, &before);
  expect_refused("impossible shape [2251799813685248]");
  getrusage(RUSAGE_SELF, &after);
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 200 * 1024);  // KiB
}

// A chunk that inflates to far more than a chunk holds, put in place of the packed one.
TEST_F(ModelFile, RefusesAGzipBomb) {
  replace_head_bias([](hid_t file) {
    const hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    hsize_t chunk = 5;
    H5Pset_chunk(properties, 1, &chunk);
    H5Pset_deflate(properties, 9);
    create(file, H5T_IEEE_F32LE, {5}, properties);
    H5Pclose(properties);
    const hid_t dataset = H5Dopen2(file, kName, H5P_DEFAULT);
    // 16 MiB of zeros as a stored-size 16 KB zlib stream.
    std::vector<unsigned char> bomb;
    {
      const hid_t memory = H5Pcreate(H5P_DATASET_CREATE);
      hsize_t large = 1 << 22;
      H5Pset_chunk(memory, 1, &large);
      H5Pset_deflate(memory, 9);
      const std::vector<float> zeros(large);
      create(file, H5T_IEEE_F32LE, {large}, memory, zeros.data(), "/bomb");
      H5Pclose(memory);
      const hid_t source = H5Dopen2(file, "/bomb", H5P_DEFAULT);
      hsize_t origin = 0, bytes = 0;
      H5Dget_chunk_storage_size(source, &origin, &bytes);
      bomb.resize(bytes);
      std::uint32_t mask = 0;
      H5Dread_chunk(source, H5P_DEFAULT, &origin, &mask, bomb.data());
      H5Dclose(source);
      H5Ldelete(file, "/bomb", H5P_DEFAULT);
    }
    hsize_t origin = 0;
    ASSERT_GE(H5Dwrite_chunk(dataset, H5P_DEFAULT, 0, &origin, bomb.size(), bomb.data()), 0);
    H5Dclose(dataset);
  });
  expect_refused("its packed data is damaged");
}

TEST_F(ModelFile, ReadsPackedWeights) {
  const LoadedModel made = tiny_model();
  replace_head_bias([&](hid_t file) {
    const hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    hsize_t chunk = 2;
    H5Pset_chunk(properties, 1, &chunk);
    H5Pset_shuffle(properties);
    H5Pset_deflate(properties, 4);
    H5Pset_fletcher32(properties);
    create(file, H5T_IEEE_F32LE, {5}, properties, made.weights.at("head.bias").data());
    H5Pclose(properties);
  });
  const LoadedModel found = load_model_file(path_);
  EXPECT_TRUE(std::ranges::equal(found.weights.at("head.bias").values(), made.weights.at("head.bias").values()));
}

TEST_F(ModelFile, RefusesAnUnknownFilterWithoutLoadingAPlugin) {
  const H5Z_class2_t filter{
      .version = H5Z_CLASS_T_VERS,
      .id = 40123,
      .encoder_present = 1,
      .decoder_present = 1,
      .name = "test",
      .can_apply = nullptr,
      .set_local = nullptr,
      .filter = [](unsigned, std::size_t, const unsigned*, std::size_t bytes, std::size_t*, void**) { return bytes; }};
  ASSERT_GE(H5Zregister(&filter), 0);
  replace_head_bias([](hid_t file) {
    const hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    hsize_t chunk = 5;
    H5Pset_chunk(properties, 1, &chunk);
    H5Pset_filter(properties, 40123, H5Z_FLAG_MANDATORY, 0, nullptr);
    create(file, H5T_IEEE_F32LE, {5}, properties, kZeros);
    H5Pclose(properties);
  });
  H5Zunregister(40123);
  expect_refused("is packed with filter 40123");
  unsigned loading = 1;
  ASSERT_GE(H5PLget_loading_state(&loading), 0);
  EXPECT_EQ(loading, 0U);
}

}  // namespace
}  // namespace tessera
