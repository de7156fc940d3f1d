#pragma once
// Runs a layer as unkindly as its contract allows: output and scratch hold NaN, sentinels stand before and behind both,
// and inputs and output may start anywhere that a float may.

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <span>
#include <vector>

#include "layers/layer.h"

namespace tessera {

// Floats with guards around them; the middle is NaN until written.
class GuardedBuffer {
 public:
  // The first float lies `offset` floats behind an address that is a multiple of 64.
  explicit GuardedBuffer(std::int64_t count, std::int64_t offset = 0)
      : values_(Tensor::filled({count + 2 * kGuard + offset}, kSentinel)), count_(count), before_(kGuard + offset) {
    std::ranges::fill(middle(), std::numeric_limits<float>::quiet_NaN());
  }
  std::span<float> middle() {
    return values_.values().subspan(static_cast<std::size_t>(before_), static_cast<std::size_t>(count_));
  }
  bool untouched_outside() {
    const auto is_sentinel = [](float value) { return value == kSentinel; };
    const std::span<float> whole = values_.values();
    return std::ranges::all_of(whole.first(static_cast<std::size_t>(before_)), is_sentinel) &&
           std::ranges::all_of(whole.last(static_cast<std::size_t>(kGuard)), is_sentinel);
  }

 private:
  static constexpr float kSentinel = 12345.678F;
  static constexpr std::int64_t kGuard = 64;

  Tensor values_;
  std::int64_t count_;
  std::int64_t before_;
};

inline std::vector<Tensor> clones(const std::vector<Tensor>& tensors) {
  std::vector<Tensor> copies;
  for (const Tensor& tensor : tensors) copies.push_back(tensor.clone());
  return copies;
}

inline std::vector<Shape> shapes_of(const std::vector<Tensor>& tensors) {
  std::vector<Shape> shapes;
  for (const Tensor& tensor : tensors) shapes.push_back(tensor.shape());
  return shapes;
}

// Copies of inputs, each with its guards.
struct GuardedInputs {
  GuardedInputs(const std::vector<Tensor>& inputs, std::int64_t offset) {
    for (const Tensor& input : inputs) {
      std::ranges::copy(input.values(), copies.emplace_back(input.shape().count(), offset).middle().begin());
    }
    for (std::size_t i = 0; i < inputs.size(); ++i) views.emplace_back(copies[i].middle().data(), inputs[i].shape());
  }
  std::vector<GuardedBuffer> copies;
  std::vector<ConstView> views;
};

// What the layer wrote for the inputs, with the weights as PyTorch keeps them. Fails the test when it wrote elsewhere.
inline std::vector<float> run_layer(const Layer& layer, const std::vector<Tensor>& inputs,
                                    const std::vector<Tensor>& weights, int threads, std::int64_t offset = 0) {
  const std::vector<Shape> in = shapes_of(inputs);
  const Shape out = layer_output_shape(layer, in);
  const std::vector<Tensor> prepared = layer_prepare(layer, clones(weights));
  GuardedInputs guarded(inputs, offset);
  GuardedBuffer output(out.count(), offset);
  GuardedBuffer scratch(layer_scratch(layer, in, threads));
  ThreadPool pool(threads);
  layer_forward(layer, {guarded.views, prepared, {output.middle().data(), out}, scratch.middle(), pool});
  EXPECT_TRUE(output.untouched_outside()) << layer_name(layer) << " wrote outside its output";
  EXPECT_TRUE(scratch.untouched_outside()) << layer_name(layer) << " wrote outside its scratch memory";
  return {output.middle().begin(), output.middle().end()};
}

// Equal bit by bit: NaN equals itself, and 0 differs from -0.
inline bool same_bits(std::span<const float> a, std::span<const float> b) {
  return std::ranges::equal(std::as_bytes(a), std::as_bytes(b));
}

}  // namespace tessera
