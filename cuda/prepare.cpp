// From a request to a kernel. Own kernels take values of one type; where a graph begins and ends, its float32 input and
// output meet the type of what lies between, and a cast stands before or behind the layer.

#include <algorithm>
#include <string_view>

#include "cuda/kernels.h"
#include "cuda/layer_fields.h"
#include "cuda/prepared.h"

namespace tessera::cuda {

namespace {

// Every layer that the device computes, by the name that layers/ gives it.
struct Known {
  std::string_view layer;
  Maker make;
};
constexpr Known kLayers[] = {{"Activation", make_activation},
                             {"Add", make_add},
                             {"Attention", make_attention},
                             {"BatchNorm", make_scale_shift},
                             {"Concat", make_concat},
                             {"Conv2d", make_convolution},
                             {"Dropout", make_copy},
                             {"Flatten", make_flatten},
                             {"GlobalAveragePool", make_global_average_pool},
                             {"LayerNorm", make_layer_norm},
                             {"LayerScale", make_scale_shift},
                             {"Linear", make_linear},
                             {"Multiply", make_multiply},
                             {"PatchEmbed", make_convolution},
                             {"Pool2d", make_pool},
                             {"Softmax", make_softmax},
                             {"TokenEmbed", make_token_embed},
                             {"TokenPool", make_token_pool}};

Kernel prepare_plain(TesseraDevice& device, const TesseraRequest& request) {
  const auto* const found = std::ranges::find(kLayers, std::string_view(request.layer.name), &Known::layer);
  if (found == std::end(kLayers)) {
    throw Failure(kUsage, "the device has no kernel for " + std::string(request.layer.name));
  }
  return found->make(device, request);
}

// The tokens of a patch embedding are the pixels of a convolution's output.
TesseraRequest as_pixels(TesseraRequest request) {
  const std::int64_t patch = LayerFields(request.layer, {"width", "patch", "bias"}).integer("patch");
  const TesseraTensor& picture = request.inputs[0];
  const std::int64_t size[] = {picture.size[0], picture.size[1] / patch, picture.size[2] / patch,
                               last_size(request.output)};
  request.output.rank = 4;
  std::ranges::copy(size, request.output.size);
  return request;
}

bool adds_residual(const TesseraRequest& request) {
  return std::any_of(
      request.layer.fields, request.layer.fields + request.layer.field_count,
      [](const TesseraField& field) { return std::string_view(field.key) == "residual" && field.integers[0] != 0; });
}

// A kernel with casts around it. The values that it reads and writes instead lie in front of its own scratch memory.
class CastingKernel final : public TesseraKernel {
 public:
  CastingKernel(TesseraDevice& device, const TesseraRequest& request, TesseraDType type, TesseraDType out_type)
      : out_count_(per_picture(request.output)), outer_out_(type_of(request.output)), inner_out_(out_type) {
    TesseraRequest inner = request;
    const auto reserve = [&](const TesseraTensor& tensor, TesseraDType as) {
      const std::int64_t at = front_;
      front_ += round_up(count_of(tensor) * bytes_of(as), kScratchAlignment);
      return at;
    };
    for (int i = 0; i < request.input_count; ++i) {
      const TesseraTensor& tensor = request.inputs[i];
      const bool casts = type_of(tensor) != type;
      inputs_.push_back({.count = per_picture(tensor),
                         .from = type_of(tensor),
                         .to = type,
                         .at = casts ? reserve(tensor, type) : -1});
      inner.inputs[i].dtype = type;
    }
    inner.output.dtype = out_type;
    if (outer_out_ != inner_out_) out_at_ = reserve(request.output, inner_out_);
    inner_ = prepare_plain(device, inner);
    implementation = "cast+" + inner_->implementation;
    choice = inner_->choice;
    weight_bytes = inner_->weight_bytes;
    scratch_bytes = front_ + inner_->scratch_bytes;
  }

  void run(const TesseraRun& run) const override {
    const void* inputs[TESSERA_MOST_INPUTS];
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      const Input& input = inputs_[i];
      inputs[i] = run.inputs[i];
      if (input.at < 0) continue;
      cast(input.from, run.inputs[i], input.to, run.scratch + input.at, run.batch * input.count, run.stream());
      inputs[i] = run.scratch + input.at;
    }
    void* const output = out_at_ < 0 ? run.output : run.scratch + out_at_;
    inner_->run(
        {.inputs = inputs, .output = output, .scratch = run.scratch + front_, .batch = run.batch, .queue = run.queue});
    if (out_at_ >= 0) cast(inner_out_, output, outer_out_, run.output, run.batch * out_count_, run.stream());
    check_launch("cast");
  }

 private:
  struct Input {
    std::int64_t count = 0;
    TesseraDType from = TESSERA_F32, to = TESSERA_F32;
    std::int64_t at = -1;  // in the scratch memory; -1: it is of the type already
  };

  std::vector<Input> inputs_;
  std::int64_t front_ = 0, out_at_ = -1, out_count_;
  TesseraDType outer_out_, inner_out_;
  Kernel inner_;
};

}  // namespace

std::int64_t count_of(const TesseraTensor& tensor) {
  std::int64_t count = 1;
  for (int i = 0; i < tensor.rank; ++i) count *= tensor.size[i];
  return count;
}

std::int64_t last_size(const TesseraTensor& tensor) { return tensor.size[tensor.rank - 1]; }

std::span<const float> weight(const TesseraRequest& request, int index) {
  if (index >= request.weight_count) throw Failure(kInternal, "a layer came without one of its weights");
  return {request.weights[index].values, static_cast<std::size_t>(request.weights[index].count)};
}

DeviceMemory upload_weight(TesseraDevice& device, TesseraKernel& kernel, std::span<const float> values,
                           TesseraDType type) {
  kernel.weight_bytes += static_cast<std::int64_t>(values.size()) * bytes_of(type);
  return device.upload(values, type);
}

Kernel prepare(TesseraDevice& device, const TesseraRequest& given) {
  const std::string_view layer = given.layer.name;
  const TesseraRequest request = layer == "PatchEmbed" ? as_pixels(given) : given;
  const TesseraDType out = type_of(request.output);
  TesseraDType low = out;  // the type of fewer bits, if there is one
  for (int i = 0; i < request.input_count; ++i) {
    if (type_of(request.inputs[i]) != TESSERA_F32) low = type_of(request.inputs[i]);
  }
  const bool one_type = std::all_of(request.inputs, request.inputs + request.input_count,
                                    [&](const TesseraTensor& tensor) { return type_of(tensor) == low; });
  if (one_type && low == out) return prepare_plain(device, request);
  // The last layer of a classifier writes its sums as they are.
  if (one_type && layer == "Linear" && !adds_residual(request) && out == TESSERA_F32) {
    return prepare_plain(device, request);
  }
  // The first layer of a transformer casts while it gathers.
  const bool convolves = layer == "Conv2d" || layer == "PatchEmbed";
  if (convolves && !adds_residual(request) && gathers_by_rule(request)) return prepare_plain(device, request);
  return std::make_unique<CastingKernel>(device, request, low, low);
}

}  // namespace tessera::cuda
