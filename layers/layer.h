#pragma once
// The closed list of layers. Add one here (its header and its type), and the compiler names each place that must handle
// it: the passes, the CPU's kernels, the description for devices. CMake takes the sources of the headers below.

#include <concepts>
#include <variant>

#include "layers/activation.h"
#include "layers/add.h"
#include "layers/attention.h"
#include "layers/batch_norm.h"
#include "layers/concat.h"
#include "layers/conv2d.h"
#include "layers/dropout.h"
#include "layers/flatten.h"
#include "layers/global_average_pool.h"
#include "layers/inverted_residual.h"
#include "layers/layer_norm.h"
#include "layers/layer_scale.h"
#include "layers/linear.h"
#include "layers/multiply.h"
#include "layers/patch_embed.h"
#include "layers/pool.h"
#include "layers/softmax.h"
#include "layers/token_embed.h"
#include "layers/token_pool.h"

namespace tessera {

template <class T>
concept LayerType = requires(const T layer, Shapes in, const ForwardArguments& arguments) {
  { T::kName } -> std::convertible_to<std::string_view>;
  { layer.lesson() } -> std::same_as<Lesson>;
  { layer.output_shape(in) } -> std::same_as<Shape>;
  layer.forward(arguments);
  T::fields(layer, [](const Field&, const auto&) {});
  requires std::equality_comparable<T>;
  requires std::same_as < decltype(&T::examples), Examples<T>(*)
  () > ;
  requires std::same_as < decltype(&T::drawn), Example<T>(*)
  (Draw&) > ;
};

template <LayerType... Types>
using LayerVariant = std::variant<Types...>;

using Layer = LayerVariant<Conv2d, BatchNorm, Linear, LayerNorm, Attention, PatchEmbed, TokenEmbed, TokenPool, Pool2d,
                           GlobalAveragePool, Activation, Softmax, Add, Multiply, Concat, Flatten, LayerScale, Dropout,
                           InvertedResidual>;

// For overloads that serve several types and name them, so that a type that is new is served by none:
// `template <OneOf<Add, Multiply> L> void operator()(const L&)`.
template <class T, class... Types>
concept OneOf = (std::same_as<T, Types> || ...);

// The members of layer_interface.h, with their defaults for layers that do not have them.
std::string_view layer_name(const Layer& layer);
Lesson layer_lesson(const Layer& layer);
std::string layer_attributes(const Layer& layer);
Shape layer_output_shape(const Layer& layer, Shapes in);
std::vector<WeightSpec> layer_weights(const Layer& layer, Shapes in);
std::int64_t layer_macs(const Layer& layer, Shapes in, const Shape& out);
// Operations that are no multiply-adds of a product, as fvcore counts them (fvcore/nn/jit_handles.py): a layer norm
// five and a batch norm two for each value, a global mean one for each value that it reads. Published counts that were
// made with fvcore hold both.
std::int64_t layer_norm_operations(const Layer& layer, Shapes in, const Shape& out);
// Values that are summed, or compared, for one value of the output: what its rounding errors grow with. At least 1.
std::int64_t layer_reduction(const Layer& layer, Shapes in);
bool layer_may_overwrite_input(const Layer& layer);
// Whether an input is of indices (token ids) instead of float32.
bool layer_takes_index(const Layer& layer, std::size_t input);
std::vector<Tensor> layer_prepare(const Layer& layer, std::vector<Tensor> weights);
std::int64_t layer_scratch(const Layer& layer, Shapes in, int threads);
void layer_forward(const Layer& layer, const ForwardArguments& arguments);

}  // namespace tessera
