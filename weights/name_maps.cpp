#include "weights/name_maps.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "core/error.h"

namespace tessera {

namespace {

using Numbers = std::vector<int>;

// Takes what `pattern` describes off the front of `name`, with the numbers that stand for each "{}"; false, with both
// as they were, where it does not begin so.
bool take_pattern(std::string_view pattern, std::string_view& name, Numbers& numbers) {
  std::string_view rest = name;
  Numbers found;
  while (!pattern.empty()) {
    if (pattern.starts_with("{}")) {
      int number = -1;
      const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
      if (error != std::errc() || number < 0) return false;
      found.push_back(number);
      rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
      pattern.remove_prefix(2);
      continue;
    }
    if (rest.empty() || rest.front() != pattern.front()) return false;
    rest.remove_prefix(1);
    pattern.remove_prefix(1);
  }
  name = rest;
  numbers.insert(numbers.end(), found.begin(), found.end());
  return true;
}

// "layer{0+1}.{1}." with the numbers 2 and 0: "layer3.0.".
std::string filled(std::string_view pattern, const Numbers& numbers) {
  std::string text;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] != '{') {
      text += pattern[i];
      continue;
    }
    const std::size_t end = pattern.find('}', i);
    const int number = numbers.at(static_cast<std::size_t>(pattern[i + 1] - '0'));
    text += std::to_string(pattern.substr(i, end - i).find('+') == std::string_view::npos ? number : number + 1);
    i = end;
  }
  return text;
}

std::string_view without_prefix(std::string_view name, const Naming& naming) {
  for (const std::string_view prefix : naming.prefixes) {
    if (name.starts_with(prefix)) return name.substr(prefix.size());
  }
  return name;
}

// By the first place that fits; "" for what is dropped, the name itself where no rule is for it.
std::string by_places(const std::string& whole, const Naming& naming) {
  const std::string_view name = without_prefix(whole, naming);
  for (const NamePlace& place : naming.places) {
    std::string_view rest = name;
    Numbers numbers;
    if (!take_pattern(place.from, rest, numbers)) continue;
    for (const auto& [from, to] : place.rules) {
      if (!rest.starts_with(from)) continue;
      return to.empty() ? "" : filled(place.to, numbers) + filled(to, numbers) + std::string(rest.substr(from.size()));
    }
    return whole;
  }
  return whole;
}

std::string renamed_tensor(const std::string& name, const Naming& naming) {
  if (name.ends_with("num_batches_tracked")) return "";
  if (naming.rename != nullptr) return naming.rename(name);
  return naming.places.empty() ? name : by_places(name, naming);
}

// q, k and v of one block, one below the other.
Tensor stack(const std::array<Tensor, 3>& parts, const std::string& name) {
  if (parts[0].empty() || parts[1].empty() || parts[2].empty() || parts[0].shape() != parts[1].shape() ||
      parts[0].shape() != parts[2].shape() || parts[0].shape().rank() < 1) {
    throw ModelFileError(name + ": query, key and value must all be there, in the same shape");
  }
  Shape shape = parts[0].shape();
  shape[0] *= 3;
  Tensor stacked(shape);
  float* to = stacked.data();
  for (const Tensor& part : parts) to = std::ranges::copy(part.values(), to).out;
  return stacked;
}

// Where the tensor "blocks.3.attn.k.weight" is kept until its partners are there.
struct Part {
  std::string stacked;  // "blocks.3.attn.qkv.weight"
  std::size_t index;
};

std::optional<Part> part_of_attention(const std::string& name) {
  constexpr std::string_view kAttention = ".attn.";
  const std::size_t at = name.find(kAttention);
  if (at == std::string::npos || at + kAttention.size() + 1 >= name.size()) return std::nullopt;
  const std::size_t letter = at + kAttention.size();
  const std::size_t index = std::string_view("qkv").find(name[letter]);
  if (index == std::string_view::npos || name[letter + 1] != '.') return std::nullopt;
  return Part{name.substr(0, letter) + "qkv" + name.substr(letter + 1), index};
}

const Naming& naming_of(const WeightStore& weights) {
  static const Naming as_they_are{.name = "timm", .first_layer = "", .is_of = nullptr};
  for (const Family* family : families()) {
    for (const Naming& naming : family->namings) {
      if (naming.is_of(weights)) return naming;
    }
  }
  return as_they_are;
}

std::vector<std::string> names_of(const WeightStore& weights) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : weights.tensors()) names.push_back(name);
  return names;
}

}  // namespace

RenamedWeights rename_to_timm(WeightStore weights, const Note& note) {
  const Naming& naming = naming_of(weights);
  const std::string left_out = naming.left_out == nullptr ? "" : naming.left_out(weights);
  if (!left_out.empty() && note) note(left_out);
  RenamedWeights renamed{.weights = {}, .naming = &naming};
  std::map<std::string, std::array<Tensor, 3>> stacks;  // by the name of the stacked tensor
  for (const std::string& name : names_of(weights)) {
    Tensor tensor = weights.take(name);
    const std::string to = renamed_tensor(name, naming);
    if (to.empty()) continue;
    if (renamed.weights.contains(to)) throw ModelFileError(name + ": a second tensor for " + to);
    const std::optional<Part> part = naming.separate_qkv ? part_of_attention(to) : std::nullopt;
    if (!part) {
      renamed.weights.put(to, std::move(tensor));
      continue;
    }
    Tensor& place = stacks[part->stacked][part->index];
    if (!place.empty()) throw ModelFileError(name + ": a second tensor for " + to);
    place = std::move(tensor);
  }
  for (const auto& [name, parts] : stacks) renamed.weights.put(name, stack(parts, name));
  if (naming.finish != nullptr) naming.finish(renamed.weights);
  return renamed;
}

}  // namespace tessera
