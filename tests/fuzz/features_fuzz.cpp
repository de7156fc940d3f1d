// The index of a file of features: JSON that says what the numbers beside it are of.
#include <array>
#include <nlohmann/json.hpp>

#include "evaluation/probe/features.h"
#include "tests/fuzz/fuzz.h"
#include "weights/hdf5.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tessera;
  if (size == 0) return 0;
  const std::array<float, 6> values{1, 2, 3, 4, 5, 6};  // of three pictures; a fourth could not be read
  const auto path = fuzz::folder() / "features.h5";
  Hdf5Writer writer(path);
  writer.write_text("/index", std::string(reinterpret_cast<const char*>(data), size));
  writer.write("/features", Hdf5Type::kFloat32, {3, 2}, values.data());
  writer.commit();
  Dataset dataset;
  dataset.samples.resize(4);
  CachedFeatures cached;
  const bool answered = fuzz::expect_answer([&] { cached = read_features(path, {{"dtype", "f32"}}, dataset); });
  if (!answered) std::abort();  // a file that is no use is done again, not an error
  if (!cached.features.has_value()) {
    if (cached.refusal.empty()) std::abort();
    return fuzz::verdict(false);
  }
  const FeatureSet& set = *cached.features;
  if (set.width != 2 || set.values.size() != values.size() || set.labels.size() != 3 || set.numbers.size() != 3 ||
      set.numbers.front() < 0 || set.numbers.back() > 3) {
    std::abort();
  }
  return fuzz::verdict(true);
}
