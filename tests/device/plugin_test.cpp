// Plugins that cannot be used: each is refused with a line that says why.

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "core/error.h"
#include "device/describe.h"
#include "device/device_backend.h"
#include "device/plugin_file.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;

const fs::path kFakes = TESSERA_FAKE_PLUGINS;

// What is said when the plugin of that folder, or a device of it, is opened.
std::string refusal(const std::string& folder) {
  try {
    open_device(open_plugin(kFakes / folder / "tessera_cuda.so"), {});
  } catch (const DeviceError& error) {
    return error.what();
  }
  return "it was not refused";
}

void expect_says(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << text;
  EXPECT_EQ(text.find('\n'), std::string::npos) << text;
}

class PluginPath : public testing::Test {
 protected:
  void TearDown() override { ::unsetenv("TESSERA_PLUGIN_PATH"); }
  static void set(const std::string& value) { ::setenv("TESSERA_PLUGIN_PATH", value.c_str(), 1); }
};

TEST_F(PluginPath, IsSearchedInOrder) {
  set("/nonexistent::" + (kFakes / "asleep").string() + ":" + (kFakes / "other_abi").string());
  EXPECT_EQ(plugin_folders().size(), 3U);
  EXPECT_EQ(find_plugin("cuda"), kFakes / "asleep" / "tessera_cuda.so");
  EXPECT_EQ(find_plugin("other"), fs::path());
}

TEST_F(PluginPath, ReplacesTheFoldersBesideTheProgram) {
  const fs::path program = fs::read_symlink("/proc/self/exe").parent_path();
  EXPECT_EQ(plugin_folders().at(0), program);
  EXPECT_EQ(plugin_folders().at(1), program.parent_path() / "lib" / "tessera");
  set("");
  EXPECT_TRUE(plugin_folders().empty());
}

TEST(Plugin, OfAnotherAbiIsRefused) {
  expect_says(refusal("other_abi"), "its ABI is 99");
  expect_says(refusal("other_sizes"), "with other sizes");
}

TEST(Plugin, WithoutTheTableIsNone) { expect_says(refusal("no_table"), "has no tessera_plugin()"); }

TEST(Plugin, NamesALibraryThatIsMissing) { expect_says(refusal("needs_gone"), "libtessera_gone.so"); }

TEST(Plugin, ThatIsNoLibraryIsRefused) {
  const fs::path file = fs::temp_directory_path() / "tessera_not_a_library.so";
  std::ofstream(file) << "text";
  try {
    open_plugin(file);
    ADD_FAILURE();
  } catch (const DeviceError& error) {
    expect_says(error.what(), file.string());
  }
  fs::remove(file);
}

TEST(Plugin, SaysWhyItsDeviceCannotBeOpened) { EXPECT_EQ(refusal("asleep"), "the device is asleep"); }

TesseraLayer described(const Layer& layer, const std::vector<Shape>& in) {
  Node node;
  node.path = "layer";
  node.layer = layer;
  const Shape out = layer_output_shape(layer, in);
  const std::vector<ValueType> types(in.size());
  return describe_layer({node, in, out, types, {}, 1});
}

TEST(DescribeLayer, GivesSamePaddingByItsSides) {
  const TesseraLayer layer =
      described(Conv2d{.out_channels = 8, .kernel = 3, .stride = 2, .padding_same = true}, {{1, 10, 9, 4}});
  EXPECT_EQ(layer.padding[0], 0);
  EXPECT_EQ(layer.padding_after[0], 1);
  EXPECT_EQ(layer.padding[1], 1);
  EXPECT_EQ(layer.padding_after[1], 1);
}

TEST(DescribeLayer, TakesAPatchEmbeddingForAConvolution) {
  const TesseraLayer layer = described(PatchEmbed{.patch = 16, .width = 32}, {{2, 64, 32, 3}});
  EXPECT_EQ(layer.kind, TESSERA_CONV2D);
  EXPECT_EQ(layer.kernel[0], 16);
  EXPECT_EQ(layer.stride[1], 16);
  EXPECT_EQ(layer.bias, 1);
}

TEST(DescribeLayer, KnowsEveryActivationByItsNumber) {
  EXPECT_EQ(static_cast<int>(ActivationKind::kRelu), TESSERA_RELU);
  EXPECT_EQ(static_cast<int>(ActivationKind::kRelu6), TESSERA_RELU6);
  EXPECT_EQ(static_cast<int>(ActivationKind::kSilu), TESSERA_SILU);
  EXPECT_EQ(static_cast<int>(ActivationKind::kHardSwish), TESSERA_HARD_SWISH);
  EXPECT_EQ(static_cast<int>(ActivationKind::kGelu), TESSERA_GELU);
  EXPECT_EQ(static_cast<int>(ActivationKind::kSigmoid), TESSERA_SIGMOID);
}

}  // namespace
}  // namespace tessera
