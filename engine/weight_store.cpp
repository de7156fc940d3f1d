#include "engine/weight_store.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <set>
#include <utility>

#include "core/error.h"

namespace tessera {

namespace {

// Index of the first value that is not finite, or -1. The exponent test vectorises; std::isfinite does not.
std::int64_t first_not_finite(std::span<const float> values) {
  constexpr std::uint32_t kExponent = 0x7f800000U;
  constexpr std::size_t kBlock = 4096;
  for (std::size_t start = 0; start < values.size(); start += kBlock) {
    const std::size_t end = std::min(values.size(), start + kBlock);
    std::uint32_t bad = 0;
    for (std::size_t i = start; i < end; ++i) {
      std::uint32_t bits = 0;
      std::memcpy(&bits, &values[i], sizeof(bits));
      bad |= static_cast<std::uint32_t>((bits & kExponent) == kExponent);
    }
    if (bad == 0) continue;
    for (std::size_t i = start; i < end; ++i) {
      if (!std::isfinite(values[i])) return static_cast<std::int64_t>(i);
    }
  }
  return -1;
}

}  // namespace

void WeightStore::put(std::string name, Tensor tensor) {
  const auto [place, inserted] = tensors_.try_emplace(std::move(name), std::move(tensor));
  if (!inserted) throw InternalError("the tensor '" + place->first + "' is stored twice");
}

const Tensor& WeightStore::at(std::string_view name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) throw ModelFileError("the tensor '" + std::string(name) + "' is missing");
  return found->second;
}

Tensor WeightStore::take(std::string_view name) {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) throw ModelFileError("the tensor '" + std::string(name) + "' is missing");
  Tensor tensor = std::move(found->second);
  tensors_.erase(found);
  return tensor;
}

WeightStore WeightStore::clone() const {
  WeightStore copy;
  for (const auto& [name, tensor] : tensors_) copy.put(name, tensor.clone());
  return copy;
}

Tensor StoredWeights::take(const WeightSpec& spec) {
  const std::lock_guard lock(taking_);
  return store_.take(spec.name);
}

std::string value_fault(const std::string& name, const Tensor& tensor) {
  const std::int64_t bad = first_not_finite(tensor.values());
  if (bad < 0) return "";
  return "not finite: " + name + " has a NaN or infinite value at index " + std::to_string(bad);
}

std::vector<std::string> weight_faults(const WeightStore& weights, const std::vector<WeightSpec>& expected) {
  std::vector<std::string> faults;
  std::set<std::string, std::less<>> names;
  for (const WeightSpec& spec : expected) {
    names.insert(spec.name);
    if (!weights.contains(spec.name)) {
      faults.push_back("missing: " + spec.name + " " + to_string(spec.shape));
      continue;
    }
    const Tensor& tensor = weights.at(spec.name);
    if (tensor.shape() != spec.shape) {
      faults.push_back("wrong shape: " + spec.name + ": expected " + to_string(spec.shape) + ", found " +
                       to_string(tensor.shape()));
    } else if (std::string fault = value_fault(spec.name, tensor); !fault.empty()) {
      faults.push_back(std::move(fault));
    }
  }
  for (const auto& [name, tensor] : weights.tensors()) {
    if (!names.contains(name)) faults.push_back("unexpected: " + name + " " + to_string(tensor.shape()));
  }
  return faults;
}

void throw_weight_faults(const std::vector<std::string>& faults, const std::string& source) {
  if (faults.empty()) return;
  std::string message = source + ": " + std::to_string(faults.size()) + " tensor(s) cannot be used:";
  for (const std::string& fault : faults) message += "\n  " + fault;
  throw ModelFileError(message);
}

void check_weights(const WeightStore& weights, const std::vector<WeightSpec>& expected, const std::string& source) {
  throw_weight_faults(weight_faults(weights, expected), source);
}

}  // namespace tessera
