#pragma once
// Runs one layer on a backend as tests/layers/guarded_run.h does with its forward().

#include <memory>
#include <string>
#include <vector>

#include "cpu/cpu_backend.h"
#include "engine/backend.h"
#include "tests/layers/guarded_run.h"

namespace tessera {

struct KernelRun {
  std::vector<float> output;
  std::string implementation;
};

// `max_batch` is what the kernel is prepared for; 0: the inputs' own.
inline KernelRun run_kernel(const Backend& backend, const Layer& layer, const std::vector<Tensor>& inputs,
                            const std::vector<Tensor>& weights, int threads, std::int64_t offset = 0,
                            std::int64_t max_batch = 0) {
  const std::vector<Shape> in = shapes_of(inputs);
  const Shape out = layer_output_shape(layer, in);
  std::vector<Shape> largest_in = in;
  Shape largest_out = out;
  if (max_batch > 0) {
    for (Shape& shape : largest_in) shape[0] = max_batch;
    largest_out[0] = max_batch;
  }
  Node node;
  node.path = "layer";
  node.layer = layer;
  const std::unique_ptr<Kernel> kernel = backend.prepare(node, largest_in, largest_out, clones(weights), threads);
  GuardedInputs guarded(inputs, offset);
  GuardedBuffer output(out.count(), offset);
  GuardedBuffer scratch(kernel->scratch());
  ThreadPool pool(threads);
  kernel->run({guarded.views, {output.middle().data(), out}, scratch.middle(), pool});
  EXPECT_TRUE(output.untouched_outside()) << kernel->implementation() << " wrote outside its output";
  EXPECT_TRUE(scratch.untouched_outside()) << kernel->implementation() << " wrote outside its scratch memory";
  return {{output.middle().begin(), output.middle().end()}, std::string(kernel->implementation())};
}

// Each tensor `times` over along its first dimension.
inline std::vector<Tensor> repeated(const std::vector<Tensor>& tensors, std::int64_t times) {
  std::vector<Tensor> result;
  for (const Tensor& tensor : tensors) {
    Shape shape = tensor.shape();
    shape[0] *= times;
    Tensor copy(shape);
    for (std::int64_t i = 0; i < times; ++i) {
      std::ranges::copy(tensor.values(), copy.data() + i * tensor.shape().count());
    }
    result.push_back(std::move(copy));
  }
  return result;
}

// Every backend under test: each instruction set, with Winograd and without.
inline std::vector<CpuOptions> all_cpu_options() {
  std::vector<CpuOptions> all;
  for (const std::string& isa : cpu_isas()) {
    all.push_back({isa, false});
    all.push_back({isa, true});
  }
  return all;
}
inline std::string options_name(const testing::TestParamInfo<CpuOptions>& info) {
  return info.param.isa + (info.param.exact ? "_exact" : "");
}

}  // namespace tessera
