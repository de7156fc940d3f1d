#pragma once
// The plugin's own sources on the emulated device, through the C ABI as `tessera` opens it; and a layer run on it.

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "device/device_backend.h"
#include "device/plugin_file.h"
#include "tests/cuda/emulated/control.h"
#include "tests/cuda/emulated/product.h"
#include "tests/layers/guarded_run.h"

namespace tessera {

constexpr DevicePrecision kPrecisions[] = {DevicePrecision::kF32, DevicePrecision::kTf32, DevicePrecision::kF16,
                                           DevicePrecision::kBf16};
inline std::string precision_name(const testing::TestParamInfo<DevicePrecision>& info) {
  return std::string(to_string(info.param));
}

// Half the distance from 1 to the next value: what rounding to it costs at most, relative.
inline double rounding_of(DevicePrecision precision) {
  switch (precision) {
    case DevicePrecision::kBf16:
      return 0x1p-9;
    case DevicePrecision::kF32:
      return 0x1p-25;
    default:
      return 0x1p-12;  // f16 and TF32
  }
}

inline DType kept_in(DevicePrecision precision) {
  return precision == DevicePrecision::kF16    ? DType::kF16
         : precision == DevicePrecision::kBf16 ? DType::kBf16
                                               : DType::kF32;
}

// The tensor with each value as the precision keeps (or multiplies) it.
inline Tensor rounded_to(DevicePrecision precision, const Tensor& tensor) {
  Tensor result = tensor.clone();
  for (float& value : result.values()) {
    if (precision == DevicePrecision::kTf32) value = emulated::rounded_to_tf32(value);
    if (precision == DevicePrecision::kF16) value = emulated::rounded(emulated::Type::kF16, value);
    if (precision == DevicePrecision::kBf16) value = emulated::rounded(emulated::Type::kBf16, value);
  }
  return result;
}
inline std::vector<Tensor> rounded_to(DevicePrecision precision, const std::vector<Tensor>& tensors) {
  std::vector<Tensor> result;
  for (const Tensor& tensor : tensors) result.push_back(rounded_to(precision, tensor));
  return result;
}

// An open emulated device. Whatever was opened on it must be gone before it is.
class EmulatedDevice {
 public:
  explicit EmulatedDevice(DeviceOptions options) : options_(std::move(options)) {
    emulated::set_schedule({});
    device_ = open_device(open_plugin(TESSERA_EMULATED_PLUGIN), options_);
    backend_ = make_device_backend(device_, options_);
  }
  explicit EmulatedDevice(DevicePrecision precision, bool exact = false)
      : EmulatedDevice(DeviceOptions{.precision = precision, .exact = exact}) {}
  ~EmulatedDevice() {
    backend_.reset();
    device_.reset();
    EXPECT_EQ(emulated::leftovers(), std::vector<std::string>());
  }
  EmulatedDevice(const EmulatedDevice&) = delete;
  EmulatedDevice& operator=(const EmulatedDevice&) = delete;

  const Backend& backend() const { return *backend_; }
  DevicePrecision precision() const { return options_.precision; }

 private:
  DeviceOptions options_;
  std::shared_ptr<OpenDevice> device_;
  std::unique_ptr<Backend> backend_;
};

// Values as bytes of a type, padded to whole floats: what an upload takes.
inline std::vector<float> packed(const Tensor& tensor, DType dtype) {
  const auto count = tensor.shape().count();
  std::vector<float> bytes(static_cast<std::size_t>((count * bytes_of(dtype) + 3) / 4));
  const auto type = dtype == DType::kF16    ? emulated::Type::kF16
                    : dtype == DType::kBf16 ? emulated::Type::kBf16
                                            : emulated::Type::kF32;
  for (std::int64_t i = 0; i < count; ++i) {
    emulated::store(type, bytes.data(), i, tensor.values()[static_cast<std::size_t>(i)]);
  }
  return bytes;
}

struct DeviceRun {
  std::vector<float> output;
  std::string implementation;
};

// Runs one layer: its values are kept in `dtype`, and its output and scratch memory are allocations of their own, whose
// ends are watched. `max_batch`: what the kernel is prepared for; 0: the inputs' own.
inline DeviceRun run_on_device(const Backend& backend, const Layer& layer, const std::vector<Tensor>& inputs,
                               const std::vector<Tensor>& weights, DType dtype, std::int64_t max_batch = 0) {
  const std::vector<Shape> in = shapes_of(inputs);
  const Shape out = layer_output_shape(layer, in);
  std::vector<Shape> largest_in = in;
  Shape largest_out = out;
  if (max_batch > 0) {
    for (Shape& shape : largest_in) shape[0] = max_batch;
    largest_out[0] = max_batch;
  }
  const std::vector<ValueType> in_types(inputs.size(), {.dtype = dtype});
  Node node;
  node.path = "layer";
  node.layer = layer;
  const std::unique_ptr<Kernel> kernel =
      backend.prepare({node, largest_in, largest_out, in_types, {.dtype = dtype}, 1}, clones(weights));

  std::vector<std::vector<float>> bytes;
  QueueRequest request{.arena_bytes = static_cast<std::size_t>(out.count() * bytes_of(dtype)),
                       .scratch_bytes = static_cast<std::size_t>(kernel->scratch()) * sizeof(float),
                       .input_slots = static_cast<int>(inputs.size())};
  for (const Tensor& input : inputs) {
    bytes.push_back(packed(input, dtype));
    request.input_bytes = std::max(request.input_bytes, bytes.back().size() * sizeof(float));
  }
  request.output_bytes = request.arena_bytes;
  const std::unique_ptr<DeviceQueue> queue = backend.device()->open_queue(request);
  std::vector<ConstValueView> views;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    views.emplace_back(queue->upload(static_cast<int>(i), std::as_bytes(std::span(bytes[i]))), in_types[i], in[i]);
  }
  ThreadPool threads(1);
  const ValueView output(queue->arena(), {.dtype = dtype}, out);
  kernel->run({views, output, queue->scratch(), threads, queue.get()});
  std::vector<std::byte> found(request.arena_bytes);
  queue->download(queue->arena(), found);
  queue->synchronise();
  const Tensor values = to_f32({found.data(), {.dtype = dtype}, out});
  return {{values.values().begin(), values.values().end()}, std::string(kernel->implementation())};
}

}  // namespace tessera
