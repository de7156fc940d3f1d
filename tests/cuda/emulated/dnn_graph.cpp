// Runs an operation graph of cuDNN: what lies between two operations is kept in float32, or rounded as its type says.

#include <algorithm>

#include "tests/cuda/emulated/dnn_descriptor.h"
#include "tests/cuda/emulated/fault.h"

namespace tessera::emulated {

namespace {

Picture picture_of(const DnnTensor& tensor, const void* data) {
  Picture picture{tensor.type, data, {}, {}};
  std::ranges::copy(tensor.size, picture.size);
  std::ranges::copy(tensor.step, picture.step);
  return picture;
}

// Calls body(place in [N, H, W, C] order, index into memory) for each element, `tensor` broadcast to `size`.
template <class Body>
void for_each(const DnnTensor& tensor, const std::vector<std::int64_t>& size, const Body& body) {
  const auto step = [&](std::size_t i) { return tensor.size[i] == 1 ? 0 : tensor.step[i]; };
  std::size_t place = 0;
  for (std::int64_t n = 0; n < size[0]; ++n) {
    for (std::int64_t h = 0; h < size[2]; ++h) {
      for (std::int64_t w = 0; w < size[3]; ++w) {
        const std::int64_t at = n * step(0) + h * step(2) + w * step(3);
        for (std::int64_t c = 0; c < size[1]; ++c) body(place++, at + c * step(1));
      }
    }
  }
}

void apply_pointwise(const DnnOperation& operation, const void* operand, std::vector<float>& values) {
  if (operation.mode == CUDNN_POINTWISE_ADD) {
    for_each(operation.w, operation.y.size,
             [&](std::size_t i, std::int64_t at) { values[i] += load(operation.w.type, operand, at); });
    return;
  }
  for (float& value : values) {
    if (value < operation.low) value = operation.low;
    if (operation.clipped && value > operation.high) value = operation.high;
  }
}

}  // namespace

void run_graph(const std::vector<DnnOperation>& graph, const DnnEngine& engine,
               const std::map<std::int64_t, void*>& addresses) {
  std::vector<float> values;
  for (const DnnOperation& operation : graph) {
    if (operation.convolution) {
      Convolution geometry = operation.geometry;
      geometry.tf32 = engine.has(CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS);
      values = convolve(picture_of(operation.x, addresses.at(operation.x.name)),
                        picture_of(operation.w, addresses.at(operation.w.name)), operation.y.size[2],
                        operation.y.size[3], geometry);
      if (engine.has(CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION)) {
        for (float& value : values) value = rounded(Type::kF16, value);
      }
    } else {
      apply_pointwise(operation, operation.has_w ? addresses.at(operation.w.name) : nullptr, values);
    }
    const DnnTensor& y = operation.y;
    if (y.is_virtual) {
      for (float& value : values) value = rounded(y.type, value);
      continue;
    }
    void* const to = addresses.at(y.name);
    for_each(y, y.size, [&](std::size_t i, std::int64_t at) { store(y.type, to, at, values[i]); });
  }
}

}  // namespace tessera::emulated
