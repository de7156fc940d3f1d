#include "weights/unwrap.h"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "models/family.h"

namespace tessera {

namespace {

// Of two networks in a file, the one that is not the result of the training.
constexpr std::array<std::string_view, 4> kOthers{"encoder_k.", "momentum_encoder.", "student.", "momentum_backbone."};
constexpr std::array<std::string_view, 4> kHeads{"head.weight", "fc.weight", "classifier.weight", "linear.weight"};

std::vector<std::string> names_of(const WeightStore& weights) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : weights.tensors()) names.push_back(name);
  return names;
}

// What stands before the first layer of a naming in `name`; the naming's own prefix is taken off by rename_to_timm(),
// and the head stands beside it.
std::optional<std::string> prefix_before(const std::string& name, const Naming& naming) {
  if (naming.first_layer.empty() || !name.ends_with(naming.first_layer)) return std::nullopt;
  std::string prefix = name.substr(0, name.size() - naming.first_layer.size());
  if (!prefix.empty() && !prefix.ends_with('.')) return std::nullopt;
  for (const std::string_view own : naming.prefixes) {
    if (prefix.ends_with(own)) prefix.resize(prefix.size() - own.size());
  }
  return prefix;
}

std::set<std::string> prefixes_of(const std::vector<std::string>& names) {
  std::set<std::string> prefixes;
  for (const std::string& name : names) {
    for (const Family* family : families()) {
      for (const Naming& naming : family->namings) {
        if (const auto prefix = prefix_before(name, naming)) prefixes.insert(*prefix);
      }
    }
  }
  return prefixes;
}

bool is_other(const std::string& prefix) {
  return std::ranges::any_of(kOthers, [&](std::string_view other) { return prefix.find(other) != std::string::npos; });
}

std::string listed(const std::vector<std::string>& names) {
  constexpr std::size_t kMost = 3;
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), kMost); ++i) text += (i == 0 ? "" : ", ") + names[i];
  return names.size() > kMost ? text + " and " + std::to_string(names.size() - kMost) + " more" : text;
}

std::string choose_prefix(const std::vector<std::string>& names) {
  std::set<std::string> prefixes = prefixes_of(names);
  if (prefixes.size() > 1) std::erase_if(prefixes, is_other);
  if (prefixes.empty()) return "";
  if (prefixes.size() == 1) return *prefixes.begin();
  throw ModelFileError("there are several networks in it, under the prefixes '" +
                       listed({prefixes.begin(), prefixes.end()}) + "'; --prefix P takes one of them");
}

void refuse_head_outside(const std::vector<std::string>& outside, const WeightStore& weights,
                         const std::string& prefix) {
  for (const std::string& name : outside) {
    const bool head = std::ranges::any_of(kHeads, [&](std::string_view end) {
      return name.ends_with(end) && (name.size() == end.size() || name[name.size() - end.size() - 1] == '.');
    });
    if (!head || weights.at(name).shape().rank() != 2) continue;
    throw ModelFileError("'" + name + "' " + to_string(weights.at(name).shape()) +
                         " stands outside of the network under '" + prefix +
                         "'; tessera does not know what it reads; --prefix " + prefix +
                         " converts the network alone, without that head");
  }
}

// The last layers of MoCo and similar methods project for the loss; they are not a classifier's head.
bool is_projection(const std::string& prefix, const std::string& name) {
  const bool self_supervised = prefix.find("encoder_q.") != std::string::npos ||
                               prefix.find("base_encoder.") != std::string::npos ||
                               prefix.find("teacher.") != std::string::npos;
  return self_supervised && (name.starts_with("fc.") || name.starts_with("head."));
}

}  // namespace

WeightStore unwrap(WeightStore weights, const std::optional<std::string>& asked, const Note& note) {
  const std::vector<std::string> names = names_of(weights);
  const std::string prefix = asked ? *asked : choose_prefix(names);
  if (prefix.empty()) return weights;
  std::vector<std::string> inside, outside, projection;
  for (const std::string& name : names) (name.starts_with(prefix) ? inside : outside).push_back(name);
  if (inside.empty())
    throw ModelFileError("no tensor's name begins with '" + prefix + "'; one is '" + names.front() + "'");
  if (!asked) refuse_head_outside(outside, weights, prefix);
  WeightStore unwrapped;
  for (const std::string& name : inside) {
    const std::string rest = name.substr(prefix.size());
    if (rest.empty() || is_projection(prefix, rest)) {
      projection.push_back(name);
    } else {
      unwrapped.put(rest, weights.take(name));
    }
  }
  note("names without their prefix '" + prefix + "'");
  if (!projection.empty()) note("without the projection head of the training: " + listed(projection));
  if (!outside.empty()) note("without what is not under that prefix: " + listed(outside));
  return unwrapped;
}

}  // namespace tessera
