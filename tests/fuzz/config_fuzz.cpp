// config.json and preprocessor_config.json beside weights that are sound.
#include "tests/fuzz/fuzz.h"
#include "weights/convert.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tessera;
  static const bool copied = [] {
    std::filesystem::copy(TESSERA_TEST_DATA "/weights/hf_vit_hub", fuzz::folder());
    convert_safetensors(fuzz::folder());  // what is copied is sound
    return true;
  }();
  if (!copied) std::abort();
  fuzz::put_file("config.json", data, size);
  bool accepted = fuzz::expect_answer([&] { convert_safetensors(fuzz::folder()); });
  std::filesystem::copy_file(TESSERA_TEST_DATA "/weights/hf_vit_hub/config.json", fuzz::folder() / "config.json",
                             std::filesystem::copy_options::overwrite_existing);
  fuzz::put_file("preprocessor_config.json", data, size);
  accepted |= fuzz::expect_answer([&] { convert_safetensors(fuzz::folder()); });
  std::filesystem::copy_file(TESSERA_TEST_DATA "/weights/hf_vit_hub/preprocessor_config.json",
                             fuzz::folder() / "preprocessor_config.json",
                             std::filesystem::copy_options::overwrite_existing);
  return fuzz::verdict(accepted);
}
