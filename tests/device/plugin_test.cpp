// Plugins that cannot be used: each is refused with a line that says why.

#include <gtest/gtest.h>

#include <algorithm>
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

// The field of that name, or null.
const TesseraField* find_field(const TesseraLayer& layer, std::string_view key) {
  const auto end = layer.fields + layer.field_count;
  const auto* const found =
      std::find_if(layer.fields, end, [&](const TesseraField& field) { return field.key == key; });
  return found == end ? nullptr : found;
}

TEST(LayerDescription, HasTheFieldsOfTheLayerByTheirNames) {
  const LayerDescription description(
      Conv2d{.out_channels = 8, .kernel = {3, 5}, .padding_same = true, .activation = ActivationKind::kHardSwish});
  const TesseraLayer layer = description.raw();
  EXPECT_STREQ(layer.name, "Conv2d");
  const TesseraField* const kernel = find_field(layer, "kernel");
  ASSERT_NE(kernel, nullptr);
  EXPECT_EQ(kernel->tag, TESSERA_PAIR);
  EXPECT_EQ(kernel->integers[0], 3);
  EXPECT_EQ(kernel->integers[1], 5);
  const TesseraField* const same = find_field(layer, "padding_same");
  ASSERT_NE(same, nullptr);
  EXPECT_EQ(same->tag, TESSERA_INTEGER);
  EXPECT_EQ(same->integers[0], 1);
  const TesseraField* const activation = find_field(layer, "activation");
  ASSERT_NE(activation, nullptr);
  EXPECT_EQ(activation->tag, TESSERA_TEXT);
  EXPECT_STREQ(activation->text, "hard_swish");
}

TEST(LayerDescription, LeavesOutWhatIsNotSet) {
  Conv2d conv{.out_channels = 8};
  EXPECT_EQ(find_field(LayerDescription(conv).raw(), "folded_batch_norm"), nullptr);
  conv.folded_batch_norm = 0.5F;
  const LayerDescription description(conv);
  const TesseraField* const folded = find_field(description.raw(), "folded_batch_norm");
  ASSERT_NE(folded, nullptr);
  EXPECT_EQ(folded->tag, TESSERA_REAL);
  EXPECT_EQ(folded->real, 0.5);
}

TEST(LayerDescription, NamesTheFieldsOfLayersWithinALayer) {
  InvertedResidual block{.expand = {}, .depthwise = {.stride = 2}, .project = {}};
  EXPECT_EQ(find_field(LayerDescription(block).raw(), "expand.stride"), nullptr);
  block.expand = Conv2d{.out_channels = 7};
  const LayerDescription description(block);
  const TesseraField* const channels = find_field(description.raw(), "expand.out_channels");
  ASSERT_NE(channels, nullptr);
  EXPECT_EQ(channels->integers[0], 7);
  EXPECT_EQ(find_field(description.raw(), "depthwise.stride")->integers[1], 2);
  EXPECT_EQ(find_field(description.raw(), "tensors.2")->integers[0], 2);
}

}  // namespace
}  // namespace tessera
