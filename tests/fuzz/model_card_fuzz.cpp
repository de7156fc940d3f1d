// The card of a model file: JSON that decides which graph is built. Its digest is made to fit, as one who means harm
// would.
#include <nlohmann/json.hpp>

#include "tests/fuzz/fuzz.h"
#include "weights/hdf5.h"
#include "weights/model_file.h"
#include "weights/sha256.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tessera;
  if (size == 0) return 0;
  const auto path = fuzz::folder() / "card.h5";
  Hdf5Writer writer(path);
  writer.write_text("/card", std::string(reinterpret_cast<const char*>(data), size));
  const nlohmann::json manifest = {{"card", sha256(fuzz::as_span(data, size))}, {"tensors", nlohmann::json::object()}};
  writer.write_text("/manifest", manifest.dump());
  writer.commit();
  return fuzz::verdict(fuzz::expect_answer([&] { read_model_card(path); }));
}
