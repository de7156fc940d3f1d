#pragma once
// The tensors of one model by state-dict name, in the layout of the reference (PyTorch: OIHW, [out, in]).

#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/shape.h"
#include "core/tensor.h"
#include "core/weight_spec.h"

namespace tessera {

// Owns its tensors. Not thread-safe.
class WeightStore {
 public:
  // Throws InternalError when the name is there already.
  void put(std::string name, Tensor tensor);
  bool contains(std::string_view name) const { return tensors_.find(name) != tensors_.end(); }
  // Throws ModelFileError naming the tensor when it is not there.
  const Tensor& at(std::string_view name) const;
  // Moves the tensor out.
  Tensor take(std::string_view name);
  // A deep copy.
  WeightStore clone() const;

  const std::map<std::string, Tensor, std::less<>>& tensors() const noexcept { return tensors_; }

 private:
  std::map<std::string, Tensor, std::less<>> tensors_;
};

// What a program takes its weights from, each tensor once, so that a program can pack them without two whole copies in
// memory.
class WeightSource {
 public:
  virtual ~WeightSource() = default;
  // Called from several threads at once. Throws ModelFileError naming the tensor when it cannot be had.
  virtual Tensor take(const WeightSpec& spec) = 0;
};

// A store as a source.
class StoredWeights final : public WeightSource {
 public:
  explicit StoredWeights(WeightStore store) : store_(std::move(store)) {}
  Tensor take(const WeightSpec& spec) override;

 private:
  std::mutex taking_;
  WeightStore store_;
};

// Why a tensor's values cannot be used: NaN or infinite, with the index of the first. Empty: they can.
std::string value_fault(const std::string& name, const Tensor& tensor);

// What is wrong with a store against what a graph declares, a line each: missing, unexpected, misshapen (expected,
// found) tensors, and those with a NaN or infinite value (with its index).
std::vector<std::string> weight_faults(const WeightStore& weights, const std::vector<WeightSpec>& expected);

// Throws one ModelFileError that lists all `faults`, if there are any; `source` names the file.
void throw_weight_faults(const std::vector<std::string>& faults, const std::string& source);

// Both: checks a store against what a graph declares.
void check_weights(const WeightStore& weights, const std::vector<WeightSpec>& expected, const std::string& source);

}  // namespace tessera
