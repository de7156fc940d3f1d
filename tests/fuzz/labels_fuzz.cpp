// Files of labels (CSV and JSON) and of pictures' classes (ground truth).
#include "tests/fuzz/fuzz.h"
#include "vision/label_files.h"
#include "vision/labels.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tessera;
  const auto known = [](const std::string& label) { return imagenet_index(label) >= 0; };
  const auto csv = fuzz::put_file("labels.csv", data, size);
  const auto json = fuzz::put_file("labels.json", data, size);
  bool accepted = fuzz::expect_answer([&] { read_label_file(csv, 1000); });
  accepted |= fuzz::expect_answer([&] { read_label_file(json, 1000); });
  accepted |= fuzz::expect_answer([&] { read_ground_truth(csv, {"a.JPEG", "my shark.JPEG"}, 1000, known); });
  return fuzz::verdict(accepted);
}
