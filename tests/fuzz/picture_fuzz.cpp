// Pictures by both decoders, strict and lenient.
#include "tests/fuzz/fuzz.h"
#include "vision/decode.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tessera;
  constexpr std::int64_t kMostPixels = 1 << 20;  // so that one input takes milliseconds
  bool accepted = false;
  for (const Decoder decoder : {Decoder::kAuto, Decoder::kStb}) {
    for (const bool lenient : {false, true}) {
      accepted |= fuzz::expect_answer([&] {
        decode(fuzz::as_span(data, size), "picture",
               {.decoder = decoder, .max_pixels = kMostPixels, .lenient = lenient});
      });
    }
  }
  return fuzz::verdict(accepted);
}
