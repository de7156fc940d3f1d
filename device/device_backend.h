#pragma once
// A backend whose kernels are a plugin's.

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "device/plugin.h"
#include "engine/backend.h"

namespace tessera {

// What values are kept in between layers and products multiply; sums are float32.
enum class DevicePrecision { kF32, kTf32, kF16, kBf16 };
std::string_view to_string(DevicePrecision precision);  // "f32", "tf32", "f16", "bf16"

struct DeviceOptions {
  int index = 0;
  DevicePrecision precision = DevicePrecision::kF32;
  bool exact = false;  // no algorithm that trades digits for speed; not with kTf32
  // Which of several ways of computing a layer is the fastest, by choice_key(); by rule where there is none.
  std::map<std::string, std::string> choices = {};
  // Where set, what has no choice yet is measured, and each choice told. Called for one layer at a time.
  std::function<void(const std::string& key, const std::string& choice)> chosen = {};
};

// An open device. Shared by its backend, kernels and sessions.
class OpenDevice;

// Opens device `options.index` of the plugin. Throws DeviceError with one line that says why it cannot be used.
std::shared_ptr<OpenDevice> open_device(const TesseraPlugin& plugin, const DeviceOptions& options);

TesseraFacts facts_of(const OpenDevice& device);
// Of the device of a backend or program, which must be a plugin's.
TesseraFacts facts_of(const Device& device);
// "NVIDIA A100-SXM4-40GB (compute capability 8.0; CUDA 13.0, driver 13.0, cuBLASLt 13.1, cuDNN 9.19)"
std::string describe_device(const TesseraFacts& facts);

std::unique_ptr<Backend> make_device_backend(std::shared_ptr<OpenDevice> device, const DeviceOptions& options);

}  // namespace tessera
