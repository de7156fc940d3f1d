#pragma once
// What every layer shows. A layer is a plain struct of attributes with these members:
//
//   static constexpr std::string_view kName;                      // "Conv2d"
//   static void fields(auto& self, auto&& visit);                 // its attributes, once: fields.h
//   bool operator==(const L&) const = default;
//   Lesson lesson() const;                                        // its formula and where it comes from
//   Shape output_shape(Shapes in) const;                          // throws UsageError for shapes it cannot take
//   void forward(const ForwardArguments&) const;                  // the readable definition, Eigen and plain loops
//   static Examples<L> examples();                                // what it takes and what it refuses: example.h
//   static Example<L> drawn(Draw& draw);                          // attributes and shapes that nobody chose
//
// and those of these that it needs:
//
//   std::vector<WeightSpec> weights(Shapes in) const;             // leaf names, reference layout; none if absent
//   std::vector<Tensor> prepare(std::vector<Tensor> weights) const;  // repack once at load; identity if absent
//   std::int64_t macs(Shapes in, const Shape& out) const;         // multiply-adds; 0 if absent
//   std::int64_t norm_operations(Shapes in, const Shape& out) const;  // see layer.h; 0 if absent
//   std::int64_t reduction(Shapes in) const;                      // see layer.h; by the multiply-adds if absent
//   std::string attributes() const;                               // what the fields say if absent
//   static constexpr bool kMayOverwriteInput = true;              // output may lie on input 0; false if absent
//   bool takes_index(std::size_t input) const;                    // an input of token ids; float32 if absent
//   std::int64_t scratch(Shapes in, int threads) const;           // floats that forward() needs; 0 if absent
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
#include "layers/fields.h"

namespace tessera {

using Shapes = std::span<const Shape>;

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

class Draw;
template <class L>
struct Example;
template <class L>
struct Examples;

// Throws UsageError "<layer>: <what>; input [..]" so that the graph can add the path.
[[noreturn]] void shape_error(std::string_view layer, const std::string& what, Shapes in);
// Checks that there is exactly one input (or `inputs`) of rank `rank`.
void expect_inputs(std::string_view layer, Shapes in, std::size_t inputs, int rank);

}  // namespace tessera
