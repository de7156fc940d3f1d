// Convolutions, by one of several ways:
//
//   depthwise    an own kernel: nothing to multiply but one filter a channel
//   fused        a cuDNN plan for convolution, residual, bias and ReLU
//   plain        a cuDNN plan for the convolution alone, and an own kernel for the rest
//   gathered     windows gathered as rows of a matrix, and one product by cuBLASLt; 1 x 1 convolutions need no
//   gathering
//
// By rule: gathered where windows do not overlap (each pixel is copied once: patch embedding), else the first fused
// plan, else the first plain one, else gathered. Measured: whichever is the fastest.

#include <algorithm>
#include <functional>
#include <map>
#include <mutex>

#include "cuda/convolution_graph.h"
#include "cuda/kernels.h"
#include "cuda/measure.h"
#include "cuda/prepared.h"
#include "cuda/product.h"
#include "cuda/windows.h"

namespace tessera::cuda {

namespace {

constexpr std::int64_t kMostWorkspace = 256 << 20;
constexpr std::size_t kMostPlans = 6;  // of each kind that are measured

struct Depthwise final : TesseraKernel {
  Depthwise(TesseraDevice& device, const TesseraRequest& request, const Convolution& layer)
      : type(type_of(request.output)),
        activation(layer.activation),
        residual(layer.residual),
        windows(windows_of(request, layer)),
        filters(upload_weight(device, *this, weight(request, 0), TESSERA_F32)),
        bias(layer.bias ? upload_weight(device, *this, weight(request, 1), TESSERA_F32) : nullptr) {
    implementation = "depthwise";
  }
  void run(const TesseraRun& run) const override {
    depthwise(type, run.inputs[0], static_cast<const float*>(filters.get()), static_cast<const float*>(bias.get()),
              residual ? run.inputs[1] : nullptr, activation, run.output, windows, run.batch, run.stream());
    check_launch("depthwise");
  }
  TesseraDType type;
  Activation activation;
  bool residual;
  Windows windows;
  DeviceMemory filters, bias;
};

// --- by cuDNN ---

// What is left to do after a plan.
struct Rest {
  bool residual = false, bias = false;
  Activation activation = Activation::kNone;
  bool any() const { return residual || bias || activation != Activation::kNone; }
};
Rest rest_of(const Convolution& layer, const ConvolutionShape& shape) {
  Rest rest{
      .residual = layer.residual && !shape.residual, .bias = layer.bias && !shape.bias, .activation = layer.activation};
  if (shape.activation != Activation::kNone) rest.activation = Activation::kNone;
  return rest;
}

PlanRules rules_of(const TesseraDevice& device, std::int64_t most_workspace) {
  return {.most_workspace = most_workspace, .tf32 = device.options().tf32 != 0, .exact = device.options().exact != 0};
}

// Weights may be shared by all candidates of one convolution.
struct SharedWeights {
  std::shared_ptr<void> filters, bias;  // bias in the values' type
  std::shared_ptr<void> bias_f32;
  std::int64_t bytes = 0;
};

std::shared_ptr<void> upload_shared(TesseraDevice& device, std::span<const float> values, TesseraDType type) {
  return std::shared_ptr<void>(device.upload(values, type));
}

class CudnnKernel final : public TesseraKernel {
 public:
  CudnnKernel(TesseraDevice& device, const TesseraRequest& request, const SharedWeights& weights, bool fused,
              std::string plan_name)
      : device_(device),
        shape_(shape_of(request, fused)),
        rest_(rest_of(convolution_of(request), shape_)),
        weights_(weights),
        plan_name_(std::move(plan_name)) {
    const std::scoped_lock lock(device_.mutex());
    const Made& made = with_pictures(shape_.pictures);
    plan_name_ = made.plan.name;
    scratch_bytes = made.plan.workspace_bytes;
    weight_bytes = weights.bytes;
    choice = (fused ? "fused " : "plain ") + plan_name_;
    implementation = rest_.any() ? "cudnn+finish" : fused && shape_.bias ? "cudnn_fused" : "cudnn";
  }

  void run(const TesseraRun& run) const override {
    {
      const std::scoped_lock lock(device_.mutex());
      const Plan& plan = with_pictures(run.batch).plan;  // first: what it makes, it makes on a stream of its own
      cudnnHandle_t const handle = device_.cudnn(run.stream());
      run_plan(plan,
               {.x = run.inputs[0],
                .w = weights_.filters.get(),
                .y = run.output,
                .residual = shape_.residual ? run.inputs[1] : nullptr,
                .bias = shape_.bias ? weights_.bias.get() : nullptr,
                .workspace = run.scratch},
               handle);
    }
    if (!rest_.any()) return;
    const std::int64_t count = run.batch * shape_.out_height * shape_.out_width * shape_.out_channels;
    finish(shape_.type, run.output, rest_.bias ? static_cast<const float*>(weights_.bias_f32.get()) : nullptr,
           rest_.residual ? run.inputs[1] : nullptr, rest_.activation, run.output, count, shape_.out_channels,
           run.stream());
    check_launch("finish");
  }

  // Names of the plans that there are.
  static std::vector<std::string> plan_names(TesseraDevice& device, const TesseraRequest& request, bool fused,
                                             std::size_t most) {
    const std::scoped_lock lock(device.mutex());
    const ConvolutionShape shape = shape_of(request, fused);
    std::vector<std::string> names;
    try {
      cudnnHandle_t const handle = device.cudnn(device.stream());
      const ConvolutionGraph graph = make_convolution_graph(shape, handle);
      for (const Plan& plan : list_plans(graph, shape.type, rules_of(device, kMostWorkspace), most, handle)) {
        names.push_back(plan.name);
      }
    } catch (const Failure&) {
      return {};  // a graph that cuDNN does not take: another way is found
    }
    return names;
  }

 private:
  struct Made {
    ConvolutionGraph graph;
    Plan plan;
  };

  // Under the device's mutex. A batch that was not seen yet takes the plan of the same name if it has it, else its
  // first.
  const Made& with_pictures(std::int64_t pictures) const {
    const auto found = made_.find(pictures);
    if (found != made_.end()) return found->second;
    ConvolutionShape shape = shape_;
    shape.pictures = pictures;
    cudnnHandle_t const handle = device_.cudnn(device_.stream());
    ConvolutionGraph graph = make_convolution_graph(shape, handle);
    const std::int64_t workspace = made_.empty() ? kMostWorkspace : scratch_bytes;
    std::vector<Plan> plans = list_plans(graph, shape.type, rules_of(device_, workspace), kMostPlans, handle);
    if (plans.empty()) throw Failure(kDevice, "cuDNN has no plan for this convolution with the memory it is given");
    auto plan = std::ranges::find(plans, plan_name_, &Plan::name);
    if (plan == plans.end()) plan = plans.begin();
    return made_.emplace(pictures, Made{std::move(graph), std::move(*plan)}).first->second;
  }

  TesseraDevice& device_;
  ConvolutionShape shape_;
  Rest rest_;
  SharedWeights weights_;
  std::string plan_name_;
  mutable std::map<std::int64_t, Made> made_;  // by the number of pictures
};

// --- gathered ---

class GatheredKernel final : public TesseraKernel {
 public:
  GatheredKernel(TesseraDevice& device, const TesseraRequest& request, const Convolution& layer)
      : in_type_(type_of(request.inputs[0])),
        type_(type_of(request.output)),
        windows_(windows_of(request, layer)),
        groups_(layer.groups),
        group_in_(windows_.channels / groups_),
        out_channels_(request.output.size[3]),
        depth_(std::int64_t{windows_.kernel_height} * windows_.kernel_width * group_in_),
        residual_(layer.residual) {
    const bool ones =
        windows_.kernel_height * windows_.kernel_width * windows_.stride_height * windows_.stride_width == 1;
    in_place_ = ones && groups_ == 1 && in_type_ == type_ && windows_.height == windows_.out_height &&
                windows_.width == windows_.out_width;
    step_ = in_place_ ? depth_ : round_up(depth_, kAlignedValues);
    implementation = in_place_ ? "cublas_1x1" : "gather+cublas";
    choice = "gathered";
    upload(device, request, layer.bias);
    const std::int64_t rows = request.output.size[0] * windows_.out_height * windows_.out_width;
    gathered_bytes_ = in_place_ ? 0 : round_up(rows * step_ * bytes_of(type_), kScratchAlignment);
    scratch_bytes = gathered_bytes_ + kProductScratch;
    make_product(device, layer.activation, rows);
  }

  void run(const TesseraRun& run) const override {
    const std::int64_t rows = run.batch * windows_.out_height * windows_.out_width;
    const Product& product = products_->with_n(rows);
    for (std::int64_t group = 0; group < groups_; ++group) {
      const void* matrix = run.inputs[0];
      if (!in_place_) {
        gather(in_type_, run.inputs[0], type_, run.scratch, windows_, run.batch, static_cast<int>(group * group_in_),
               static_cast<int>(group_in_), step_, run.stream());
        check_launch("gather");
        matrix = run.scratch;
      }
      const std::int64_t out = out_channels_ / groups_;
      product.run({.a = static_cast<const std::byte*>(filters_.get()) + group * out * step_ * bytes_of(type_),
                   .b = matrix,
                   .c = groups_ == 1 && residual_ ? run.inputs[1] : nullptr,
                   .d = static_cast<std::byte*>(run.output) + group * out * bytes_of(type_),
                   .scratch = run.scratch + gathered_bytes_},
                  run.stream());
    }
    if (!finishes_) return;
    const bool all = groups_ > 1;
    finish(type_, run.output, all ? static_cast<const float*>(bias_.get()) : nullptr,
           all && residual_ ? run.inputs[1] : nullptr, left_, run.output, rows * out_channels_, out_channels_,
           run.stream());
    check_launch("finish");
  }

 private:
  static constexpr std::int64_t kAlignedValues = 8;

  // Filters are rows [O, step]: zeros fill what the gathered rows have too many.
  void upload(TesseraDevice& device, const TesseraRequest& request, bool bias) {
    const std::span<const float> filters = weight(request, 0);
    std::vector<float> padded(static_cast<std::size_t>(out_channels_ * step_), 0.0F);
    for (std::int64_t o = 0; o < out_channels_; ++o) {
      std::copy_n(filters.begin() + o * depth_, depth_, padded.begin() + o * step_);
    }
    filters_ = upload_weight(device, *this, padded, type_);
    if (!bias) return;
    bias_ = upload_weight(device, *this, weight(request, 1), groups_ == 1 ? type_ : TESSERA_F32);
  }

  // Bias, residual and ReLU go into the product's epilogue where there is one product.
  void make_product(TesseraDevice& device, Activation activation, std::int64_t rows) {
    const bool relu = groups_ == 1 && activation == Activation::kRelu;
    left_ = relu ? Activation::kNone : activation;
    finishes_ = left_ != Activation::kNone || (groups_ > 1 && (bias_ != nullptr || residual_));
    ProductShape shape{.m = out_channels_ / groups_, .k = step_};
    shape.a_step = shape.b_step = step_;
    shape.d_step = out_channels_;
    shape.type = shape.d_type = type_;
    shape.a_alignment = alignment_of({shape.m * step_ * bytes_of(type_)}, 64);
    shape.d_alignment = alignment_of({shape.m * bytes_of(type_) * (groups_ > 1 ? 1 : 64)}, 64);
    if (groups_ == 1 && bias_ != nullptr) {
      shape.bias = bias_.get();
      shape.epilogue = relu ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_BIAS;
    } else if (relu) {
      shape.epilogue = CUBLASLT_EPILOGUE_RELU;
    }
    products_ = std::make_unique<Products>(device, shape);
    products_->with_n(rows);
  }

  TesseraDType in_type_, type_;
  Windows windows_;
  std::int64_t groups_, group_in_, out_channels_;
  std::int64_t depth_;     // values of a window
  std::int64_t step_ = 0;  // and those of its row
  bool residual_;
  bool in_place_ = false;
  bool finishes_ = false;
  Activation left_ = Activation::kNone;
  std::int64_t gathered_bytes_ = 0;
  DeviceMemory filters_, bias_;
  std::unique_ptr<Products> products_;
};

// --- choosing ---

class Ways {
 public:
  Ways(TesseraDevice& device, const TesseraRequest& request) : device_(device), request_(request) {}

  Kernel by_rule() {
    if (gathers_by_rule(request_)) return gathered();
    for (const bool fused : {true, false}) {
      if (!CudnnKernel::plan_names(device_, request_, fused, 1).empty()) return cudnn(fused, "");
    }
    return gathered();
  }

  Kernel by_name(const std::string& choice) {
    for (const bool fused : {true, false}) {
      const std::string prefix = fused ? "fused " : "plain ";
      if (!choice.starts_with(prefix)) continue;
      const std::vector<std::string> names = CudnnKernel::plan_names(device_, request_, fused, kMostPlans);
      const std::string name = choice.substr(prefix.size());
      if (std::ranges::find(names, name) != names.end()) return cudnn(fused, name);
    }
    return choice == "gathered" ? gathered() : by_rule();
  }

  Kernel measured() {
    std::vector<Kernel> candidates;
    for (const bool fused : {true, false}) {
      for (const std::string& name : CudnnKernel::plan_names(device_, request_, fused, kMostPlans)) {
        candidates.push_back(cudnn(fused, name));
      }
    }
    candidates.push_back(gathered());
    return fastest(device_, request_, std::move(candidates));
  }

 private:
  Kernel gathered() { return std::make_unique<GatheredKernel>(device_, request_, convolution_of(request_)); }

  Kernel cudnn(bool fused, const std::string& name) {
    if (weights_.filters == nullptr) {
      const TesseraDType type = type_of(request_.output);
      weights_.filters = upload_shared(device_, weight(request_, 0), type);
      weights_.bytes = request_.weights[0].count * bytes_of(type);
      if (convolution_of(request_).bias) {
        weights_.bias = upload_shared(device_, weight(request_, 1), type);
        weights_.bias_f32 = upload_shared(device_, weight(request_, 1), TESSERA_F32);
        weights_.bytes += request_.weights[1].count * (bytes_of(type) + bytes_of(TESSERA_F32));
      }
    }
    return std::make_unique<CudnnKernel>(device_, request_, weights_, fused, name);
  }

  TesseraDevice& device_;
  const TesseraRequest& request_;
  SharedWeights weights_;
};

}  // namespace

// Where windows lie side by side.
bool gathers_by_rule(const TesseraRequest& request) {
  const Convolution layer = convolution_of(request);
  return layer.groups == 1 && layer.kernel[0] * layer.kernel[1] > 1 && layer.kernel[0] == layer.stride[0] &&
         layer.kernel[1] == layer.stride[1] && layer.padding[0] + layer.padding[1] == 0 &&
         layer.padding_after[0] + layer.padding_after[1] == 0 && layer.dilation[0] * layer.dilation[1] == 1;
}

Kernel make_convolution(TesseraDevice& device, const TesseraRequest& request) {
  const Convolution layer = convolution_of(request);
  if (layer.depthwise) return std::make_unique<Depthwise>(device, request, layer);
  Ways ways(device, request);
  const std::string choice = request.choice;
  if (choice.empty() || type_of(request.inputs[0]) != type_of(request.output)) return ways.by_rule();
  return choice == "measure" ? ways.measured() : ways.by_name(choice);
}

}  // namespace tessera::cuda
