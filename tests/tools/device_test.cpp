// The binary where a GPU cannot be used: --device auto says why in one line and goes on, --device cuda ends with 7.

#include <dlfcn.h>

#include <algorithm>

#include "tests/tools/cli_fixture.h"

namespace tessera::cli_test {
namespace {

// As a user without a GPU has it: what is set here lasts for one test.
class Device : public Cli {
 protected:
  void SetUp() override {
    Cli::SetUp();
    ::unsetenv("LD_LIBRARY_PATH");
  }
  void TearDown() override {
    ::unsetenv("LD_LIBRARY_PATH");
    Cli::TearDown();
  }

  Outcome classify(const std::string& device) const {
    return run({"classify", (kPictures / "jpeg_444.jpg").string(), "--model", kResNet, "--image-size", "64", "--device",
                device});
  }

  // auto: one line with `why`, and the CPU's result; cuda: the same line and nothing else.
  void expect_no_gpu(const std::string& why) const {
    const Outcome automatic = classify("auto");
    EXPECT_EQ(automatic.exit_code, 0) << automatic.err;
    EXPECT_NE(automatic.err.find("the CPU is used"), std::string::npos) << automatic.err;
    EXPECT_NE(automatic.err.find(why), std::string::npos) << automatic.err;
    EXPECT_EQ(std::ranges::count(automatic.err, '\n'), 1) << automatic.err;
    expect_refused(why);
  }
  void expect_refused(const std::string& why) const {
    const Outcome cuda = classify("cuda");
    EXPECT_EQ(cuda.exit_code, 7) << cuda.err;
    EXPECT_NE(cuda.err.find(why), std::string::npos) << cuda.err;
    EXPECT_EQ(std::ranges::count(cuda.err, '\n'), 1) << cuda.err;
    EXPECT_TRUE(cuda.out.empty()) << cuda.out;
  }

  static void use_fake(const std::string& name) {
    ::setenv("TESSERA_PLUGIN_PATH", (fs::path(TESSERA_FAKE_PLUGINS) / name).c_str(), 1);
  }
  static bool has_driver() {
    void* const driver = ::dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);
    return driver != nullptr && ::dlclose(driver) == 0;
  }
};

TEST_F(Device, AutoIsSilentWhereThereIsNoPlugin) {
  const Outcome automatic = classify("auto");
  EXPECT_EQ(automatic.exit_code, 0);
  EXPECT_EQ(automatic.err, "");
  expect_refused("there is no plugin");
}

TEST_F(Device, IsRefusedForAPluginOfAnotherAbi) {
  use_fake("other_abi");
  expect_refused("its ABI is 99");
}

TEST_F(Device, IsRefusedForAPluginWithoutItsLibrary) {
  use_fake("needs_gone");
  expect_refused("libtessera_gone.so");
}

TEST_F(Device, IsRefusedWithThePluginsOwnWords) {
  use_fake("asleep");
  expect_refused("the device is asleep");
}

TEST_F(Device, NamesAreChecked) {
  EXPECT_EQ(classify("cuda:x").exit_code, 2);
  EXPECT_EQ(classify("cuda:-1").exit_code, 2);
  EXPECT_EQ(classify("cuda:0x").exit_code, 2);
  EXPECT_EQ(classify("cudas").exit_code, 2);
}

TEST_F(Device, TypesThatNeedAGpuAreRefusedWithoutOne) {
  for (const char* dtype : {"tf32", "f16"}) {
    const Outcome outcome = run({"profile", kResNet, "--dtype", dtype});
    EXPECT_EQ(outcome.exit_code, 2) << dtype;
    EXPECT_NE(outcome.err.find("needs a GPU"), std::string::npos) << outcome.err;
  }
}

TEST_F(Device, SelftestOfTheCpuPasses) {
  const Json result = run_json({"selftest", "--device", "cpu"});
  EXPECT_TRUE(result.at("passed"));
  const std::size_t layers = result.at("layers").size();
  EXPECT_GT(layers, 60U);
  EXPECT_TRUE(result.at("left_out").empty());
  EXPECT_EQ(result.at("models").size(), 7U);
  const std::string line = result.at("line");
  EXPECT_NE(line.find("selftest, cpu, f32: passed; layers " + std::to_string(layers) + "/" + std::to_string(layers)),
            std::string::npos)
      << line;
  EXPECT_EQ(line.find('\n'), std::string::npos) << line;
}

// That it can fail: bfloat16 is not exact to the ten-thousandth that float32 is allowed.
TEST_F(Device, SelftestNeedsItsTolerance) {
  const Json low = run_json({"selftest", "--device", "cpu", "--dtype", "bf16"});
  double worst = 0;
  for (const Json& row : low.at("layers")) worst = std::max(worst, row.at("error").get<double>());
  EXPECT_GT(worst, 1e-4);
  EXPECT_EQ(run({"selftest", "--device", "cpu", "--dtype", "int8"}).exit_code, 2);
}

#ifdef TESSERA_CUDA_PLUGIN_FOLDER
// The real plugin, with libraries hidden or replaced.
class RealPlugin : public Device {
 protected:
  void SetUp() override {
    Device::SetUp();
    ::setenv("TESSERA_PLUGIN_PATH", TESSERA_CUDA_PLUGIN_FOLDER, 1);
    libraries_ = folder_ / "libraries";
    fs::create_directories(libraries_);
  }
  // The toolkit's stub stands in for a driver that does not work.
  bool use_stub_driver() const {
    if (!fs::exists(TESSERA_CUDA_STUB)) return false;
    fs::create_symlink(TESSERA_CUDA_STUB, libraries_ / "libcuda.so.1");
    ::setenv("LD_LIBRARY_PATH", libraries_.c_str(), 1);
    return true;
  }
  fs::path libraries_;
};

TEST_F(RealPlugin, SaysThatThereIsNoDriver) {
  if (has_driver()) GTEST_SKIP() << "this machine has an NVIDIA driver";
  const Outcome automatic = classify("auto");
  EXPECT_EQ(automatic.exit_code, 0);
  EXPECT_NE(automatic.err.find("no NVIDIA driver (libcuda.so.1)"), std::string::npos) << automatic.err;
  expect_refused("no NVIDIA driver");
}

TEST_F(RealPlugin, SaysThatTheDriverIsAStub) {
  if (!use_stub_driver()) GTEST_SKIP() << "the toolkit has no stub driver";
  expect_no_gpu("stub");
}

TEST_F(RealPlugin, NamesALibraryThatCannotBeLoaded) {
  if (!use_stub_driver()) GTEST_SKIP() << "the toolkit has no stub driver";
  for (const char* library : {"libcudnn.so.9", TESSERA_CUBLASLT_FILE}) {
    const fs::path broken = libraries_ / library;
    std::ofstream(broken) << "not a library";
    expect_no_gpu(library);
    fs::remove(broken);
  }
}
#endif

}  // namespace
}  // namespace tessera::cli_test
