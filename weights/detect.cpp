#include "weights/detect.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "core/error.h"
#include "weights/tensor_kinds.h"

namespace tessera {

namespace {

using Json = nlohmann::json;

const Family& family_of(const WeightStore& weights, const SaidNetwork& said) {
  const auto found = std::ranges::find_if(families(), [&](const Family* family) { return family->is_of(weights); });
  if (found != families().end()) return **found;
  const std::string example = weights.tensors().empty() ? "" : weights.tensors().begin()->first;
  throw ModelFileError("the tensors' names are of no architecture that tessera knows (" +
                       (example.empty() ? "there is none" : "one is '" + example + "'") +
                       (said.trained_by.empty() ? "" : "; " + said.trained_by) +
                       "); `tessera models` lists them, and --prefix takes a part of what wraps a network off");
}

// Parameters for which the configuration and the tensors disagree.
void refuse_contradictions(const Family& family, const Json& found, const SaidNetwork& said) {
  std::string faults;
  for (const auto& [parameter, value] : said.parameters) {
    const auto shown = found.find(parameter);
    if (shown == found.end() || same_value(*shown, value.value)) continue;
    const std::string better = family.contradiction == nullptr ? "" : family.contradiction(parameter, value);
    if (!better.empty()) throw ModelFileError(better);
    faults += (faults.empty() ? "" : "; ") + parameter + " " + value.value.dump() + " by " + value.by +
              ", but the tensors have " + shown->dump();
  }
  if (!faults.empty()) throw ModelFileError("the weights are not what the configuration says: " + faults);
}

// The row of the registry with the fewest parameters to change.
const Architecture& nearest_row(const Family& family, const Json& found) {
  const Architecture* best = nullptr;
  std::ptrdiff_t fewest = 0;
  for (const Architecture& row : architectures()) {
    if (row.family != family.name) continue;
    const auto differing = std::ranges::count_if(
        found.items(), [&](const auto& item) { return row.parameters.at(item.key()) != item.value(); });
    if (best == nullptr || differing < fewest) {
      best = &row;
      fewest = differing;
    }
  }
  if (best == nullptr) throw InternalError("no architecture of the family " + std::string(family.name));
  return *best;
}

}  // namespace

ModelConfig detect_architecture(const RenamedWeights& renamed, const SaidNetwork& said, const Note& note) {
  refuse_unsupported_tensors(renamed.weights);
  const Family& family = family_of(renamed.weights, said);
  if (!said.family.empty() && said.family != family.name) {
    throw ModelFileError("the tensors are those of a " + std::string(family.name) + ", not of a " + said.family + " (" +
                         said.trained_by + ")");
  }
  Json found = family.parameters_of(renamed, said);
  refuse_contradictions(family, found, said);
  if (family.complete != nullptr) family.complete(found, renamed, said, note);
  const Architecture* const named = find_row(said.architecture);
  const Architecture& row = named != nullptr ? *named : nearest_row(family, found);
  // Of parameters that no tensor shows, complete() has told what they follow from.
  if (said.trained_by.empty() && family.unseen.empty()) {
    note("nothing names its architecture: " + row.name + " by names and shapes");
  }
  return make_config(row.name, found);
}

}  // namespace tessera
