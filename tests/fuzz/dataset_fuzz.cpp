// CSV lists of pictures and files of labels (CSV and JSON).
#include "tests/fuzz/fuzz.h"
#include "vision/dataset.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tessera;
  const auto csv = fuzz::put_file("list.csv", data, size);
  fuzz::expect_answer([&] { open_dataset(csv, {}); });
  fuzz::expect_answer([&] { read_label_file(csv, 1000); });
  const auto json = fuzz::put_file("labels.json", data, size);
  fuzz::expect_answer([&] { read_label_file(json, 1000); });
  return 0;
}
