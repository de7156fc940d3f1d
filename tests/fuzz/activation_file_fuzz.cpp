// HDF5 files of activations, as `tessera diff` compares them: what it is given beside itself, and beside a sound file.
#include "evaluation/check/difference.h"
#include "tests/fuzz/fuzz.h"
#include "weights/activation_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tessera;
  const fuzz::MemoryFile file(data, size);
  const Tolerance tolerance{.relative = 1e-5, .absolute = 1e-5};
  const bool accepted = fuzz::expect_answer([&] {
    const ActivationReader reader(file.path());
    for (const ActivationEntry& entry : reader.activations()) reader.read(entry);
    if (reader.input().shape() != reader.input_shape() || reader.output().empty()) std::abort();
  });
  // Files that have nothing in common are refused, which is no fault of the input.
  static_cast<void>(fuzz::expect_answer([&] {
    const ActivationReader first(file.path()), second(file.path());
    compare_files(first, second, tolerance);
  }));
  static_cast<void>(fuzz::expect_answer([&] {
    static const ActivationReader sound(TESSERA_TEST_DATA "/weights/hf_vit_model/expected.h5");
    compare_files(sound, ActivationReader(file.path()), tolerance);
  }));
  return fuzz::verdict(accepted);
}
