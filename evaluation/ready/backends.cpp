#include "evaluation/ready/backends.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "core/error.h"
#include "core/nearest.h"
#include "cpu/cpu_backend.h"
#include "cpu/tuning.h"
#include "device/device_backend.h"
#include "device/plugin_file.h"
#include "engine/passes.h"
#include "evaluation/ready/tuning_cache.h"
#include "weights/sha256.h"

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

Precision precision_from_string(const std::string& dtype) {
  if (dtype == "f32") return Precision::kF32;
  if (dtype == "bf16") return Precision::kBf16;
  if (dtype == "int8") return Precision::kInt8;
  if (dtype == "tf32" || dtype == "f16") throw UsageError("--dtype " + dtype + " needs a GPU (--device cuda)");
  throw UsageError(unknown_word("dtype", dtype, std::vector<std::string>{"f32", "bf16", "int8", "tf32", "f16"}));
}

// From black to white, after normalising.
ValueRange picture_range(const Preprocess& preprocess) {
  ValueRange range;
  for (std::size_t c = 0; c < preprocess.mean.size(); ++c) {
    range.low = std::min(range.low, (0 - preprocess.mean[c]) / preprocess.std[c]);
    range.high = std::max(range.high, (1 - preprocess.mean[c]) / preprocess.std[c]);
  }
  return range;
}

CpuOptions cpu_options(const RunOptions& options, const ModelCard& card) {
  const Precision precision = precision_from_string(options.dtype);
  if (precision == Precision::kInt8 && card.calibration.ranges.empty()) {
    throw UsageError(card.name +
                     " is not calibrated for --dtype int8; `tessera quantize MODEL --calibrate PICTURES "
                     "-o FILE.h5` measures the ranges of its activations");
  }
  return {.isa = options.isa,
          .exact = options.exact,
          .precision = precision,
          .ranges = card.calibration.ranges,
          .input_range = picture_range(card.preprocess)};
}

// From the cache, completed for the layers of this model.
KernelChoices tuned_choices(const RunOptions& options, const ModelCard& card, CpuOptions cpu) {
  cpu.choices = read_tuning_cache();
  Graph graph = graph_of(card, options.max_batch);
  const std::unique_ptr<Backend> backend = make_cpu_backend(cpu);
  if (options.optimise) {
    run_passes(graph, {});
    backend->rewrite(graph, {});
  }
  BatchPlan plan{graph.batch(), 1, options.threads};
  if (options.taps.empty()) plan = plan_batch(graph, *backend, options.threads);
  graph.set_batch(plan.at_a_time);
  KernelChoices choices = tune_kernels(graph, cpu, plan.threads);
  if (choices != cpu.choices) write_tuning_cache(choices);
  return choices;
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

Graph graph_of(const ModelCard& card, std::int64_t max_batch) {
  const Sides size = picture_sides(card.config);
  if (size != card.preprocess.output_size()) {
    throw UsageError(fmt::format("{}: the model takes pictures of {}, its preprocessing gives {}", card.name,
                                 to_string(size), to_string(card.preprocess.output_size())));
  }
  return build_graph(card.config, max_batch);
}

std::unique_ptr<Backend> make_backend(const RunOptions& options, const ModelCard& card) {
  const std::string& device = options.device;
  if (device == "auto") {
    if (std::unique_ptr<Backend> cuda = make_cuda_backend_if_there(options); cuda != nullptr) return cuda;
  }
  if (device == "auto" || device == "cpu") {
    CpuOptions cpu = cpu_options(options, card);
    if (options.tune) cpu.choices = tuned_choices(options, card, cpu);
    return make_cpu_backend(cpu);
  }
  if (device == "eigen") {
    if (options.dtype != "f32") throw UsageError("--device eigen computes in f32 only, not " + options.dtype);
    if (options.tune) throw UsageError("--tune chooses between kernels; --device eigen has one for each layer");
    return make_eigen_backend();
  }
  if (device == "cuda" || device.starts_with("cuda:")) return make_cuda_backend(options);
  throw UsageError(unknown_word("device", device, std::vector<std::string>{"auto", "cpu", "eigen", "cuda", "cuda:N"}));
}

std::string isa_in_use(const RunOptions& options, std::string_view device) {
  if (device != "cpu") return "";
  return options.isa == "auto" ? cpu_isas().front() : options.isa;
}

std::string kernels_sha256(const Program& program) {
  std::string text;
  for (std::size_t n = 0; n < program.graph().nodes().size(); ++n) {
    text += fmt::format("{} {}\n", program.graph().nodes()[n].path, program.kernel(n).implementation());
  }
  return sha256(std::as_bytes(std::span(text)));
}

}  // namespace tessera
