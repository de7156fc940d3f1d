// Layers that are one own kernel each.

#include "cuda/kernels.h"
#include "cuda/layer_fields.h"
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

// Rows of a picture, and values of a row.
struct Rows {
  explicit Rows(const TesseraTensor& tensor) : width(last_size(tensor)), count(per_picture(tensor) / width) {}
  std::int64_t values() const { return width * count; }
  std::int64_t width, count;
};

void expect_no_fields(const TesseraRequest& request) { LayerFields(request.layer, {}); }

Kernel mean(const char* name, const TesseraRequest& request, std::int64_t rows, std::int64_t first,
            std::int64_t count) {
  return simple(name, [=, type = type_of(request.output), width = last_size(request.output)](const TesseraRun& run) {
    mean_rows(type, run.inputs[0], run.output, run.batch, rows, width, first, count, run.stream());
  });
}

}  // namespace

Kernel make_layer_norm(TesseraDevice& device, const TesseraRequest& request) {
  const auto epsilon = static_cast<float>(LayerFields(request.layer, {"epsilon"}).real("epsilon"));
  return weighted(device, request, "layer_norm",
                  [=, type = type_of(request.output), rows = Rows(request.output)](
                      const TesseraRun& run, const float* weight, const float* bias) {
                    layer_norm(type, run.inputs[0], weight, bias, epsilon, run.output, run.batch * rows.count,
                               rows.width, run.stream());
                  });
}

Kernel make_scale_shift(TesseraDevice& device, const TesseraRequest& request) {
  LayerFields(request.layer, {"epsilon"});  // which is in the weights
  return weighted(device, request, "scale_shift",
                  [type = type_of(request.output), rows = Rows(request.output)](
                      const TesseraRun& run, const float* scale, const float* shift) {
                    scale_shift(type, run.inputs[0], scale, shift, run.output, run.batch * rows.values(), rows.width,
                                run.stream());
                  });
}

Kernel make_token_embed(TesseraDevice& device, const TesseraRequest& request) {
  // All of them are in the weights, and in the shapes.
  LayerFields(request.layer, {"class_token", "registers", "position_covers_class", "grid", "stored_grid", "antialias"});
  const std::int64_t tokens = request.inputs[0].size[1], prefix_tokens = request.output.size[1] - tokens;
  return weighted(device, request, "token_embed",
                  [=, type = type_of(request.output), width = last_size(request.output)](
                      const TesseraRun& run, const float* prefix, const float* positions) {
                    token_embed(type, run.inputs[0], prefix, positions, run.output, run.batch, prefix_tokens, tokens,
                                width, run.stream());
                  });
}

Kernel make_concat(TesseraDevice&, const TesseraRequest& request) {
  expect_no_fields(request);
  std::vector<std::int64_t> widths;
  widths.reserve(static_cast<std::size_t>(request.input_count));
  for (int i = 0; i < request.input_count; ++i) widths.push_back(last_size(request.inputs[i]));
  return simple("concat", [=, type = type_of(request.output), rows = Rows(request.output)](const TesseraRun& run) {
    std::int64_t offset = 0;
    for (std::size_t i = 0; i < widths.size(); ++i) {
      copy_columns(type, run.inputs[i], widths[i], run.output, rows.width, offset, run.batch * rows.count,
                   run.stream());
      offset += widths[i];
    }
  });
}

Kernel make_token_pool(TesseraDevice&, const TesseraRequest& request) {
  const LayerFields fields(request.layer, {"kind", "skip"});
  const std::int64_t tokens = request.inputs[0].size[1];
  if (fields.text("kind") == "first") return mean("token_mean", request, tokens, 0, 1);
  const std::int64_t skip = fields.integer("skip");
  return mean("token_mean", request, tokens, skip, tokens - skip);
}

Kernel make_global_average_pool(TesseraDevice&, const TesseraRequest& request) {
  LayerFields(request.layer, {"keep_dimensions"});  // which is in the shape
  const std::int64_t pixels = request.inputs[0].size[1] * request.inputs[0].size[2];
  return mean("global_average", request, pixels, 0, pixels);
}

Kernel make_pool(TesseraDevice&, const TesseraRequest& request) {
  const LayerFields fields(request.layer, {"kind", "kernel", "stride", "padding", "ceil_mode", "count_include_pad"});
  const Convolution look{.kernel = fields.pair("kernel"),
                         .stride = fields.pair("stride"),
                         .padding = fields.pair("padding"),
                         .padding_after = fields.pair("padding")};
  const bool maximum = fields.text("kind") == "max", counts = fields.flag("count_include_pad");
  return simple(maximum ? "max_pool" : "average_pool",
                [=, type = type_of(request.output), windows = windows_of(request, look)](const TesseraRun& run) {
                  pool(type, run.inputs[0], run.output, windows, maximum, counts, run.batch, run.stream());
                });
}

Kernel make_activation(TesseraDevice&, const TesseraRequest& request) {
  const Activation kind = LayerFields(request.layer, {"kind"}).activation("kind");
  return simple("activate", [=, type = type_of(request.output), rows = Rows(request.output)](const TesseraRun& run) {
    finish(type, run.inputs[0], nullptr, nullptr, kind, run.output, run.batch * rows.values(), rows.width,
           run.stream());
  });
}

Kernel make_softmax(TesseraDevice&, const TesseraRequest& request) {
  expect_no_fields(request);
  return simple("softmax", [type = type_of(request.output), rows = Rows(request.output)](const TesseraRun& run) {
    softmax(type, run.inputs[0], rows.width, type, run.output, rows.width, run.batch * rows.count, rows.width,
            run.stream());
  });
}

Kernel make_add(TesseraDevice&, const TesseraRequest& request) {
  expect_no_fields(request);
  return simple("add", [type = type_of(request.output), rows = Rows(request.output)](const TesseraRun& run) {
    add(type, run.inputs[0], run.inputs[1], run.output, run.batch * rows.values(), run.stream());
  });
}

Kernel make_multiply(TesseraDevice&, const TesseraRequest& request) {
  expect_no_fields(request);
  return simple("multiply", [type = type_of(request.output), rows = Rows(request.output)](const TesseraRun& run) {
    multiply(type, run.inputs[0], run.inputs[1], run.output, run.batch * rows.values(), rows.values(), rows.width,
             run.stream());
  });
}

Kernel make_copy(TesseraDevice&, const TesseraRequest& request) {
  expect_no_fields(request);
  const std::int64_t bytes = per_picture(request.output) * bytes_of(type_of(request.output));
  return simple("copy", [=](const TesseraRun& run) {
    if (run.inputs[0] == run.output) return;
    check(cudaMemcpyAsync(run.output, run.inputs[0], static_cast<std::size_t>(run.batch * bytes),
                          cudaMemcpyDeviceToDevice, run.stream()),
          "copying a value");
  });
}

// Of pixels; other values keep their order.
Kernel make_flatten(TesseraDevice& device, const TesseraRequest& request) {
  const TesseraTensor& x = request.inputs[0];
  if (x.rank != 4) return make_copy(device, request);
  expect_no_fields(request);
  return simple("flatten", [type = type_of(request.output), pixels = x.size[1] * x.size[2],
                            width = x.size[3]](const TesseraRun& run) {
    flatten(type, run.inputs[0], run.output, run.batch, pixels, width, run.stream());
  });
}

}  // namespace tessera::cuda
