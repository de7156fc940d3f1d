// HDF5 files, as models and as references. Digests are off: they would hide the readers behind them.
#include "tests/fuzz/fuzz.h"
#include "weights/model_file.h"
#include "weights/reference_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tessera;
  const fuzz::MemoryFile file(data, size);
  fuzz::expect_answer([&] { load_model_file(file.path(), {.verify = false, .threads = 1}); });
  fuzz::expect_answer([&] { read_reference_file(file.path()); });
  return 0;
}
