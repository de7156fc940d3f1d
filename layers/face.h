#pragma once
// What every layer shows. A layer is a plain struct of attributes with these members (those it needs):
//
//   static constexpr std::string_view kName;                      // "Conv2d"
//   Lesson lesson() const;                                        // its formula and where it comes from
//   Shape output_shape(Shapes in) const;                          // throws UsageError for shapes it cannot take
//   std::vector<WeightSpec> weights(Shapes in) const;             // leaf names, reference layout; none if absent
//   std::int64_t macs(Shapes in, const Shape& out) const;         // multiply-adds; 0 if absent
//   std::int64_t norm_operations(Shapes in, const Shape& out) const;  // see layer.h; 0 if absent
//   std::string attributes() const;                               // "64, 7x7, stride 2"; empty if absent
//   static constexpr bool kMayOverwriteInput = true;              // output may lie on input 0; false if absent
//   std::vector<Tensor> prepare(std::vector<Tensor> weights) const;  // repack once at load; identity if absent
//   std::int64_t scratch(Shapes in, int threads) const;           // floats that forward() needs; 0 if absent
//   void forward(const ForwardArguments&) const;                  // the readable definition, Eigen and plain loops
//
// forward() does not allocate, and the result for a picture depends neither on its place in the batch nor on the
// number of threads: work is cut into tiles by the shape of one picture alone.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "core/shape.h"
#include "core/tensor.h"
#include "core/thread_pool.h"
#include "core/weight_spec.h"

namespace tessera {

using Shapes = std::span<const Shape>;

struct Size2 {
  std::int64_t height = 1;
  std::int64_t width = 1;
  Size2() = default;
  Size2(std::int64_t both) : height(both), width(both) {}  // NOLINT(google-explicit-constructor): .kernel = 3
  Size2(std::int64_t h, std::int64_t w) : height(h), width(w) {}
  bool operator==(const Size2&) const = default;
};
// "3" or "3x5"
std::string to_string(Size2 size);

// What a reader is told of a layer: what it computes, in plain text, and the paper (arXiv:, doi:) or the definition.
struct Lesson {
  std::string_view formula;
  std::string_view source;
};

struct ForwardArguments {
  std::span<const ConstView> inputs;
  std::span<const Tensor> weights;  // as prepare() left them
  View output;
  std::span<float> scratch;
  ThreadPool& threads;
};

// Throws UsageError "<layer>: <what>; input [..]" so that the graph can add the path.
[[noreturn]] void shape_error(std::string_view layer, const std::string& what, Shapes in);
// Checks that there is exactly one input (or `inputs`) of rank `rank`.
void expect_inputs(std::string_view layer, Shapes in, std::size_t inputs, int rank);

}  // namespace tessera
