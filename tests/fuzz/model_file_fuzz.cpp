// HDF5 files, as models and as references. Digests are off: they would hide the readers behind them.
#include "tests/fuzz/fuzz.h"
#include "weights/activation_file.h"
#include "weights/model_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tessera;
  const fuzz::MemoryFile file(data, size);
  bool accepted = fuzz::expect_answer([&] { load_model_file(file.path(), {.verify = false, .threads = 1}); });
  accepted |= fuzz::expect_answer([&] { read_activation_file(file.path()); });
  return fuzz::verdict(accepted);
}
