// safetensors files: the header alone, and as weights to be recognised and converted.
#include <string>

#include "tests/fuzz/fuzz.h"
#include "weights/convert.h"
#include "weights/safetensors.h"

namespace {
const std::string kConfig = R"({"num_attention_heads": 2})";
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tessera;
  const auto path = fuzz::put_file("model.safetensors", data, size);
  const bool read = fuzz::expect_answer([&] { read_safetensors(path); });
  // What tensors do not say of the seeds.
  static const auto config =
      fuzz::put_file("config.json", reinterpret_cast<const std::uint8_t*>(kConfig.data()), kConfig.size());
  const bool converted = fuzz::expect_answer(
      [&] { convert_safetensors(path, {.preprocess = {.choice = "torchvision"}, .config_file = config.string()}); });
  return fuzz::verdict(read && converted);
}
