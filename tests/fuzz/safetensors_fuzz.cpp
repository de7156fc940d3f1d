// safetensors files: the header alone, and as weights to be recognised and converted.
#include "tests/fuzz/fuzz.h"
#include "weights/convert.h"
#include "weights/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tessera;
  const auto path = fuzz::put_file("model.safetensors", data, size);
  fuzz::expect_answer([&] { read_safetensors(path); });
  fuzz::expect_answer([&] { convert_safetensors(path); });
  return 0;
}
