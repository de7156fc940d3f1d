// CSV lists of pictures: as labelled data, and for the classes that they name themselves.
#include "tests/fuzz/fuzz.h"
#include "vision/dataset.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tessera;
  const auto list = fuzz::put_file("list.csv", data, size);
  bool accepted = fuzz::expect_answer([&] { open_dataset(list, {}); });
  accepted |= fuzz::expect_answer([&] { classes_of_data(list, {}); });
  accepted |= fuzz::expect_answer([&] { list_pictures(list); });
  return fuzz::verdict(accepted);
}
