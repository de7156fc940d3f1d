// safetensors files: the header alone, and as weights to be recognised and converted.
#include "tests/fuzz/fuzz.h"
#include "weights/convert.h"
#include "weights/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tessera;
  const auto path = fuzz::put_file("model.safetensors", data, size);
  const bool read = fuzz::expect_answer([&] { read_safetensors(path); });
  const bool converted = fuzz::expect_answer([&] { convert_safetensors(path); });
  return fuzz::verdict(read && converted);
}
