#include "evaluation/cuda_device.h"

#include <dlfcn.h>

#include <charconv>
#include <filesystem>

#include "core/error.h"
#include "device/device_backend.h"
#include "device/plugin_file.h"
#include "evaluation/tuning_cache.h"

namespace tessera {

namespace {

DevicePrecision precision_of(const RunOptions& options) {
  if (options.dtype == "f32") return DevicePrecision::kF32;
  if (options.dtype == "f16") return DevicePrecision::kF16;
  if (options.dtype == "bf16") return DevicePrecision::kBf16;
  if (options.dtype != "tf32") {
    throw UsageError("--device cuda computes in f32, tf32, f16 or bf16, not " + options.dtype);
  }
  if (options.exact) throw UsageError("--exact keeps all digits, --dtype tf32 does not; leave one out");
  return DevicePrecision::kTf32;
}

// N of "cuda:N"; 0 for "cuda" and "auto".
int index_of(const std::string& device) {
  const std::size_t colon = device.find(':');
  if (colon == std::string::npos) return 0;
  int index = -1;
  const char* const end = device.data() + device.size();
  const auto [stopped, error] = std::from_chars(device.data() + colon + 1, end, index);
  if (error != std::errc() || stopped != end || index < 0) {
    throw UsageError("--device " + device + ": a device is cuda or cuda:N, counted from 0");
  }
  return index;
}

// Loading a library that is not there takes microseconds; the plugin, with all that it needs, 0.2 s.
bool has_driver() {
  void* const driver = ::dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);
  if (driver == nullptr) return false;
  ::dlclose(driver);
  return true;
}

DeviceOptions device_options(const RunOptions& options) {
  DeviceOptions given{.index = index_of(options.device), .precision = precision_of(options), .exact = options.exact};
  if (options.isa != "auto") throw UsageError("--isa is for --device cpu");
  if (!options.tune) return given;
  const KernelChoices known = read_tuning_cache();
  given.choices = known;
  // Kept as soon as it is measured: a run that is stopped has not measured for nothing.
  given.chosen = [choices = std::make_shared<KernelChoices>(known)](const std::string& key, const std::string& choice) {
    (*choices)[key] = choice;
    write_tuning_cache(*choices);
  };
  return given;
}

std::unique_ptr<Backend> make_from(const std::filesystem::path& plugin, const DeviceOptions& options) {
  return make_device_backend(open_device(open_plugin(plugin), options), options);
}

}  // namespace

std::unique_ptr<Backend> make_cuda_backend(const RunOptions& options) {
  const DeviceOptions given = device_options(options);
  const std::filesystem::path plugin = find_plugin("cuda");
  try {
    if (plugin.empty()) {
      throw DeviceError("there is no plugin tessera_cuda.so beside the program or in $TESSERA_PLUGIN_PATH");
    }
    return make_from(plugin, given);
  } catch (const DeviceError& error) {
    throw DeviceError("--device " + options.device + ": " + error.what());
  }
}

std::unique_ptr<Backend> make_cuda_backend_if_there(const RunOptions& options) {
  if (options.dtype == "int8" || options.isa != "auto") return nullptr;
  const std::filesystem::path plugin = find_plugin("cuda");
  if (plugin.empty()) return nullptr;
  try {
    if (!has_driver()) throw DeviceError("there is no NVIDIA driver (libcuda.so.1)");
    return make_from(plugin, device_options(options));
  } catch (const DeviceError& error) {
    if (options.note) options.note(std::string("no GPU, the CPU is used: ") + error.what());
    return nullptr;
  }
}

std::string resolved_device(const RunOptions& options) {
  const bool automatic = options.device == "auto";
  if (!automatic && !options.device.starts_with("cuda")) return options.device;
  const std::unique_ptr<Backend> backend = automatic ? make_cuda_backend_if_there(options) : make_cuda_backend(options);
  return backend == nullptr ? "cpu" : describe_device(facts_of(*backend->device()));
}

}  // namespace tessera
