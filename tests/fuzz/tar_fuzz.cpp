// Tar archives: their index, and every picture that it promises.
#include "tests/fuzz/fuzz.h"
#include "vision/picture_files.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tessera;
  const auto tar = fuzz::put_file("pictures.tar", data, size);
  std::vector<Sample> pictures;
  const bool indexed = fuzz::expect_answer([&] { pictures = list_pictures(tar); });
  for (const Sample& picture : pictures) {
    if (!fuzz::expect_answer([&] { read_picture(picture); }) && picture.size > 0) std::abort();
  }
  return fuzz::verdict(indexed && !pictures.empty());
}
