#include "layers/activation.h"

#include <cmath>

#include "layers/eigen.h"
#include "layers/elementwise.h"

namespace tessera {

void activate(ActivationKind kind, std::span<float> values) {
  // exp and erf one value at a time: Eigen's vector form rounds otherwise than its scalar form at unaligned ends, and
  // then a result would depend on where in memory, and so in the batch, it lies.
  ArrayMap x(values.data(), static_cast<Eigen::Index>(values.size()));
  switch (kind) {
    case ActivationKind::kNone:
      return;
    case ActivationKind::kRelu:
      x = x.max(0.0F);
      return;
    case ActivationKind::kRelu6:
      x = x.max(0.0F).min(6.0F);
      return;
    case ActivationKind::kSilu:
      for (float& value : values) value = value / (1.0F + std::exp(-value));
      return;
    case ActivationKind::kHardSwish:
      x = x * (x + 3.0F).max(0.0F).min(6.0F) / 6.0F;
      return;
    case ActivationKind::kGelu:
      for (float& value : values) value = 0.5F * value * (1.0F + std::erf(value * 0.70710678118654752F));
      return;
    case ActivationKind::kSigmoid:
      for (float& value : values) value = 1.0F / (1.0F + std::exp(-value));
      return;
  }
}

Lesson Activation::lesson() const {
  switch (kind) {
    case ActivationKind::kNone:
      return {"y = x", ""};
    case ActivationKind::kRelu:
      return {"y = max(x, 0)", "Nair and Hinton 2010, https://icml.cc/Conferences/2010/papers/432.pdf"};
    case ActivationKind::kRelu6:
      return {"y = min(max(x, 0), 6)", "Sandler et al. 2018, arXiv:1801.04381"};
    case ActivationKind::kSilu:
      return {"y = x sigmoid(x)", "Elfwing et al. 2017, arXiv:1702.03118"};
    case ActivationKind::kHardSwish:
      return {"y = x min(max(x + 3, 0), 6) / 6", "Howard et al. 2019, arXiv:1905.02244"};
    case ActivationKind::kGelu:
      return {"y = x (1 + erf(x / sqrt(2))) / 2", "Hendrycks and Gimpel 2016, arXiv:1606.08415"};
    case ActivationKind::kSigmoid:
      return {"y = 1 / (1 + exp(-x))", "torch.sigmoid"};
  }
  throw InternalError("an activation without a lesson");
}

Shape Activation::output_shape(Shapes in) const {
  if (in.size() != 1) shape_error(kName, "takes one input", in);
  return in[0];
}

void Activation::forward(const ForwardArguments& arguments) const {
  const float* input = arguments.inputs[0].data();
  float* output = arguments.output.data();
  for_each_block(arguments.threads, arguments.output.count(), [&](std::int64_t begin, std::int64_t end) {
    if (output != input) std::copy(input + begin, input + end, output + begin);
    activate(kind, {output + begin, static_cast<std::size_t>(end - begin)});
  });
}

}  // namespace tessera
