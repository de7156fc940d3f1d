// Linear layers: one product over all rows of all pictures, bias, residual and activation in its epilogue.
//
// cuBLASLt's GELU is the approximation by tanh, up to 5e-4 from the exact one that the layer is defined by. That is
// lost in the rounding of float16 and bfloat16; in float32, and with --exact, an own kernel applies the exact one.

#include "cuda/kernels.h"
#include "cuda/layer_fields.h"
#include "cuda/prepared.h"
#include "cuda/product.h"

namespace tessera::cuda {

namespace {

struct Epilogue {
  cublasLtEpilogue_t with_bias, without;
  bool whole;  // it applies the activation as well
  const char* name;
};

Epilogue epilogue_of(Activation activation, bool approximate, bool bias) {
  if (activation == Activation::kRelu)
    return {CUBLASLT_EPILOGUE_RELU_BIAS, CUBLASLT_EPILOGUE_RELU, true, "cublas_relu"};
  if (activation == Activation::kGelu && approximate && bias) {
    return {CUBLASLT_EPILOGUE_GELU_BIAS, CUBLASLT_EPILOGUE_GELU, true, "cublas_gelu"};
  }
  const bool none = activation == Activation::kNone;
  return {CUBLASLT_EPILOGUE_BIAS, CUBLASLT_EPILOGUE_DEFAULT, none, none ? "cublas" : "cublas+activation"};
}

struct LinearLayer {
  bool bias, residual;
  Activation activation;
};
LinearLayer linear_of(const TesseraLayer& layer) {
  // A folded layer scale is in the weights.
  const LayerFields fields(layer, {"out_features", "bias", "folded_layer_scale", "residual", "activation"});
  return {fields.flag("bias"), fields.flag("residual"), fields.activation("activation")};
}

class LinearKernel final : public TesseraKernel {
 public:
  LinearKernel(TesseraDevice& device, const TesseraRequest& request, const LinearLayer& layer)
      : rows_(count_of(request.inputs[0]) / request.inputs[0].size[0] / last_size(request.inputs[0])),
        type_(type_of(request.output)),
        residual_(layer.residual),
        weight_(upload_weight(device, *this, weight(request, 0), type_of(request.inputs[0]))),
        bias_(layer.bias ? upload_weight(device, *this, weight(request, 1), type_) : nullptr) {
    const bool approximate = type_of(request.inputs[0]) != TESSERA_F32 && device.options().exact == 0;
    const Epilogue epilogue = epilogue_of(layer.activation, approximate, bias_ != nullptr);
    implementation = epilogue.name;
    scratch_bytes = kProductScratch;
    left_ = epilogue.whole ? Activation::kNone : layer.activation;
    out_ = last_size(request.output);
    const std::int64_t k = last_size(request.inputs[0]);
    products_ = std::make_unique<Products>(
        device, ProductShape{.m = out_,
                             .k = k,
                             .a_step = k,
                             .b_step = k,
                             .d_step = out_,
                             .type = type_of(request.inputs[0]),
                             .d_type = type_,
                             .epilogue = bias_ == nullptr ? epilogue.without : epilogue.with_bias,
                             .bias = bias_.get()});
    products_->with_n(request.inputs[0].size[0] * rows_);
  }

  void run(const TesseraRun& run) const override {
    const std::int64_t rows = run.batch * rows_;
    products_->with_n(rows).run({.a = weight_.get(),
                                 .b = run.inputs[0],
                                 .c = residual_ ? run.inputs[1] : nullptr,
                                 .d = run.output,
                                 .scratch = run.scratch},
                                run.stream());
    if (left_ == Activation::kNone) return;
    finish(type_, run.output, nullptr, nullptr, left_, run.output, rows * out_, out_, run.stream());
  }

 private:
  std::int64_t rows_;  // of a picture
  std::int64_t out_ = 0;
  TesseraDType type_;
  bool residual_;
  Activation left_ = Activation::kNone;  // what the epilogue does not apply
  DeviceMemory weight_, bias_;
  std::unique_ptr<Products> products_;
};

}  // namespace

Kernel make_linear(TesseraDevice& device, const TesseraRequest& request) {
  return std::make_unique<LinearKernel>(device, request, linear_of(request.layer));
}

}  // namespace tessera::cuda
