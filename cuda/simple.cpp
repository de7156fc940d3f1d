// Layers that are one own kernel each.

#include "cuda/kernels.h"
#include "cuda/prepared.h"
#include "cuda/windows.h"

namespace tessera::cuda {

namespace {

// A kernel out of a function that launches it.
template <class Launch>
class SimpleKernel final : public TesseraKernel {
 public:
  SimpleKernel(const char* name, Launch launch) : launch_(std::move(launch)), name_(name) { implementation = name; }
  void run(const TesseraRun& run) const override {
    launch_(run);
    check_launch(name_);
  }

 private:
  Launch launch_;
  const char* name_;
};

template <class Launch>
Kernel simple(const char* name, Launch launch) {
  return std::make_unique<SimpleKernel<Launch>>(name, std::move(launch));
}

// One whose float32 weights (up to two) it owns.
template <class Launch>
class WeightedKernel final : public TesseraKernel {
 public:
  WeightedKernel(TesseraDevice& device, const TesseraRequest& request, const char* name, Launch launch)
      : launch_(std::move(launch)), name_(name) {
    implementation = name;
    for (int i = 0; i < request.weight_count; ++i) {
      weights_[i] = upload_weight(device, *this, weight(request, i), TESSERA_F32);
    }
  }
  void run(const TesseraRun& run) const override {
    launch_(run, static_cast<const float*>(weights_[0].get()), static_cast<const float*>(weights_[1].get()));
    check_launch(name_);
  }

 private:
  Launch launch_;
  const char* name_;
  DeviceMemory weights_[2];
};

template <class Launch>
Kernel weighted(TesseraDevice& device, const TesseraRequest& request, const char* name, Launch launch) {
  return std::make_unique<WeightedKernel<Launch>>(device, request, name, std::move(launch));
}

Kernel make_weighted(TesseraDevice& device, const TesseraRequest& request) {
  const TesseraDType type = type_of(request.output);
  const TesseraLayer layer = request.layer;
  const std::int64_t values = per_picture(request.output), channels = last_size(request.output);
  switch (layer.kind) {
    case TESSERA_LAYER_NORM:
      return weighted(device, request, "layer_norm",
                      [=](const TesseraRun& run, const float* weight, const float* bias) {
                        layer_norm(type, run.inputs[0], weight, bias, layer.epsilon, run.output,
                                   run.batch * values / channels, channels, run.stream());
                      });
    case TESSERA_SCALE_SHIFT:
      return weighted(
          device, request, "scale_shift", [=](const TesseraRun& run, const float* scale, const float* shift) {
            scale_shift(type, run.inputs[0], scale, shift, run.output, run.batch * values, channels, run.stream());
          });
    default: {  // token embedding
      const std::int64_t tokens = request.inputs[0].size[1], prefix_tokens = request.output.size[1] - tokens;
      return weighted(device, request, "token_embed",
                      [=](const TesseraRun& run, const float* prefix, const float* positions) {
                        token_embed(type, run.inputs[0], prefix, positions, run.output, run.batch, prefix_tokens,
                                    tokens, channels, run.stream());
                      });
    }
  }
}

Kernel make_concat(const TesseraRequest& request) {
  const TesseraDType type = type_of(request.output);
  const std::int64_t width = last_size(request.output), rows = per_picture(request.output) / width;
  std::vector<std::int64_t> widths;
  widths.reserve(static_cast<std::size_t>(request.input_count));
  for (int i = 0; i < request.input_count; ++i) widths.push_back(last_size(request.inputs[i]));
  return simple("concat", [=](const TesseraRun& run) {
    std::int64_t offset = 0;
    for (std::size_t i = 0; i < widths.size(); ++i) {
      copy_columns(type, run.inputs[i], widths[i], run.output, width, offset, run.batch * rows, run.stream());
      offset += widths[i];
    }
  });
}

Kernel make_mean(const char* name, const TesseraRequest& request, std::int64_t rows, std::int64_t first,
                 std::int64_t count) {
  const TesseraDType type = type_of(request.output);
  const std::int64_t width = last_size(request.output);
  return simple(name, [=](const TesseraRun& run) {
    mean_rows(type, run.inputs[0], run.output, run.batch, rows, width, first, count, run.stream());
  });
}

Kernel make_pool(const TesseraRequest& request) {
  const TesseraDType type = type_of(request.output);
  const TesseraLayer layer = request.layer;
  const Windows windows = windows_of(request);
  return simple(layer.maximum != 0 ? "max_pool" : "average_pool", [=](const TesseraRun& run) {
    pool(type, run.inputs[0], run.output, windows, layer.maximum != 0, layer.count_include_pad != 0, run.batch,
         run.stream());
  });
}

}  // namespace

Kernel make_simple(TesseraDevice& device, const TesseraRequest& request) {
  const TesseraDType type = type_of(request.output);
  const TesseraLayer& layer = request.layer;
  const TesseraTensor& x = request.inputs[0];
  const std::int64_t values = per_picture(request.output), channels = last_size(request.output);
  switch (layer.kind) {
    case TESSERA_LAYER_NORM:
    case TESSERA_SCALE_SHIFT:
    case TESSERA_TOKEN_EMBED:
      return make_weighted(device, request);
    case TESSERA_TOKEN_MEAN:
      return make_mean("token_mean", request, x.size[1], layer.first, layer.count);
    case TESSERA_GLOBAL_AVERAGE:
      return make_mean("global_average", request, x.size[1] * x.size[2], 0, x.size[1] * x.size[2]);
    case TESSERA_POOL2D:
      return make_pool(request);
    case TESSERA_ACTIVATE:
      return simple("activate", [=, activation = activation_of(request)](const TesseraRun& run) {
        finish(type, run.inputs[0], nullptr, nullptr, activation, run.output, run.batch * values, channels,
               run.stream());
      });
    case TESSERA_SOFTMAX:
      return simple("softmax", [=](const TesseraRun& run) {
        softmax(type, run.inputs[0], channels, type, run.output, channels, run.batch * values / channels, channels,
                run.stream());
      });
    case TESSERA_ADD:
      return simple("add", [=](const TesseraRun& run) {
        add(type, run.inputs[0], run.inputs[1], run.output, run.batch * values, run.stream());
      });
    case TESSERA_MULTIPLY:
      return simple("multiply", [=](const TesseraRun& run) {
        multiply(type, run.inputs[0], run.inputs[1], run.output, run.batch * values, values, channels, run.stream());
      });
    case TESSERA_CONCAT:
      return make_concat(request);
    case TESSERA_FLATTEN:
      return simple("flatten", [=, pixels = x.size[1] * x.size[2], width = x.size[3]](const TesseraRun& run) {
        flatten(type, run.inputs[0], run.output, run.batch, pixels, width, run.stream());
      });
    case TESSERA_COPY:
      return simple("copy", [=](const TesseraRun& run) {
        if (run.inputs[0] == run.output) return;
        check(cudaMemcpyAsync(run.output, run.inputs[0], static_cast<std::size_t>(run.batch * values * bytes_of(type)),
                              cudaMemcpyDeviceToDevice, run.stream()),
              "copying a value");
      });
    default:
      throw Failure(kUsage, "the device has no kernel for a layer of kind " + std::to_string(layer.kind));
  }
}

}  // namespace tessera::cuda
