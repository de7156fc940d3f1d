// CSV lists of pictures and files of labels (CSV and JSON).
#include "tests/fuzz/fuzz.h"
#include "vision/dataset.h"
#include "vision/label_files.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tessera;
  const auto csv = fuzz::put_file("list.csv", data, size);
  bool accepted = fuzz::expect_answer([&] { open_dataset(csv, {}); });
  accepted |= fuzz::expect_answer([&] { read_label_file(csv, 1000); });
  accepted |= fuzz::expect_answer([&] { read_ground_truth(csv, {"ILSVRC2012_val_00000001.JPEG", "b.png"}, 1000); });
  const auto tar = fuzz::put_file("pictures.tar", data, size);
  accepted |= fuzz::expect_answer([&] {
    for (const Sample& sample : open_dataset(tar, {}).samples) read_picture(sample);
  });
  const auto json = fuzz::put_file("labels.json", data, size);
  accepted |= fuzz::expect_answer([&] { read_label_file(json, 1000); });
  return fuzz::verdict(accepted);
}
