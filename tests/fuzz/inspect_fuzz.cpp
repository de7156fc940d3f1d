// A card as `tessera inspect` shows it: the graph, its passes, costs and memory, the preprocessing, calibration.
#include <nlohmann/json.hpp>

#include "evaluation/inspect/inspection.h"
#include "tests/fuzz/fuzz.h"
#include "vision/preprocess.h"
#include "weights/hdf5.h"
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
  return fuzz::verdict(fuzz::expect_answer([&] {
    const ModelCard card = read_model_card(path);
    if (describe(card.preprocess).empty()) std::abort();
    for (const char* state : {"raw", "fused"}) {
      const Inspection inspection = inspect_model(card, state, 3);
      if (to_json(inspection, 2).empty() || layers_to_json(inspection.graph).empty() ||
          inspection_text(inspection, 2).empty() || inspection_dot(inspection).empty() ||
          comparison_text({inspection, inspection}).empty()) {
        std::abort();
      }
    }
  }));
}
