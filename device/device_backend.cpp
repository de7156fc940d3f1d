#include "device/device_backend.h"

#include <algorithm>
#include <array>
#include <mutex>
#include <utility>

#include "core/error.h"
#include "device/describe.h"

namespace tessera {

// Owns what the plugin opened; all calls go through it.
class OpenDevice {
 public:
  OpenDevice(const TesseraPlugin& plugin, const DeviceOptions& options) : plugin_(plugin) {
    const TesseraOptions given{.tf32 = options.precision == DevicePrecision::kTf32 ? 1 : 0,
                               .exact = options.exact ? 1 : 0};
    call(plugin_.open, static_cast<std::int32_t>(options.index), &given, &device_);
  }
  ~OpenDevice() {
    if (device_ != nullptr) plugin_.close(device_);
  }
  OpenDevice(const OpenDevice&) = delete;
  OpenDevice& operator=(const OpenDevice&) = delete;

  const TesseraPlugin& plugin() const noexcept { return plugin_; }
  TesseraDevice* raw() const noexcept { return device_; }

  // Calls a function of the table; throws what its code and message say.
  template <class Function, class... Arguments>
  static void call(Function function, Arguments... arguments) {
    TesseraError error{};
    const int code = function(arguments..., &error);
    if (code == 0) return;
    const std::string message = error.message;
    switch (static_cast<ErrorKind>(code)) {
      case ErrorKind::kDevice:
        throw DeviceError(message);
      case ErrorKind::kResource:
        throw ResourceError(message);
      case ErrorKind::kUsage:
        throw UsageError(message);
      default:
        throw InternalError(message);
    }
  }

 private:
  const TesseraPlugin& plugin_;
  TesseraDevice* device_ = nullptr;
};

std::string_view to_string(DevicePrecision precision) {
  switch (precision) {
    case DevicePrecision::kF32:
      return "f32";
    case DevicePrecision::kTf32:
      return "tf32";
    case DevicePrecision::kF16:
      return "f16";
    case DevicePrecision::kBf16:
      return "bf16";
  }
  return "";
}

namespace {

class PluginQueue final : public DeviceQueue {
 public:
  PluginQueue(std::shared_ptr<const OpenDevice> device, const QueueRequest& request)
      : device_(std::move(device)), scratch_floats_(request.scratch_bytes / sizeof(float)) {
    const TesseraQueueRequest given{.arena_bytes = static_cast<std::int64_t>(request.arena_bytes),
                                    .scratch_bytes = static_cast<std::int64_t>(request.scratch_bytes),
                                    .input_bytes = static_cast<std::int64_t>(request.input_bytes),
                                    .output_bytes = static_cast<std::int64_t>(request.output_bytes),
                                    .input_slots = request.input_slots,
                                    .marks = request.marks};
    OpenDevice::call(plugin().open_queue, device_->raw(), &given, &queue_);
  }
  ~PluginQueue() override {
    if (queue_ != nullptr) plugin().release_queue(queue_);
  }
  PluginQueue(const PluginQueue&) = delete;
  PluginQueue& operator=(const PluginQueue&) = delete;

  TesseraQueue* raw() const noexcept { return queue_; }
  std::byte* arena() const override { return static_cast<std::byte*>(plugin().arena(queue_)); }
  std::span<float> scratch() const override { return {static_cast<float*>(plugin().scratch(queue_)), scratch_floats_}; }
  const std::byte* upload(int slot, std::span<const std::byte> values) override {
    const void* address = nullptr;
    OpenDevice::call(plugin().upload, queue_, static_cast<std::int32_t>(slot), static_cast<const void*>(values.data()),
                     static_cast<std::int64_t>(values.size()), &address);
    return static_cast<const std::byte*>(address);
  }
  void release_slot(int slot) override {
    OpenDevice::call(plugin().release_slot, queue_, static_cast<std::int32_t>(slot));
  }
  void download(const std::byte* from, std::span<std::byte> to) override {
    OpenDevice::call(plugin().download, queue_, static_cast<const void*>(from), static_cast<void*>(to.data()),
                     static_cast<std::int64_t>(to.size()));
  }
  void synchronise() override { OpenDevice::call(plugin().synchronise, queue_); }
  void mark(int index) override { OpenDevice::call(plugin().mark, queue_, static_cast<std::int32_t>(index)); }
  std::int64_t between_ns(int first, int second) override {
    std::int64_t ns = 0;
    OpenDevice::call(plugin().between_ns, queue_, static_cast<std::int32_t>(first), static_cast<std::int32_t>(second),
                     &ns);
    return ns;
  }
  void begin_recording() override { OpenDevice::call(plugin().begin_recording, queue_); }
  void end_recording(std::int64_t id) override { OpenDevice::call(plugin().end_recording, queue_, id); }
  void replay(std::int64_t id) override { OpenDevice::call(plugin().replay, queue_, id); }

 private:
  const TesseraPlugin& plugin() const noexcept { return device_->plugin(); }

  std::shared_ptr<const OpenDevice> device_;
  TesseraQueue* queue_ = nullptr;
  std::size_t scratch_floats_;
};

class PluginDevice final : public Device {
 public:
  explicit PluginDevice(std::shared_ptr<const OpenDevice> device) : device_(std::move(device)) {}
  const OpenDevice& opened() const noexcept { return *device_; }
  std::unique_ptr<DeviceQueue> open_queue(const QueueRequest& request) const override {
    return std::make_unique<PluginQueue>(device_, request);
  }

 private:
  std::shared_ptr<const OpenDevice> device_;
};

class PluginKernel final : public Kernel {
 public:
  PluginKernel(std::shared_ptr<const OpenDevice> device, const TesseraRequest& request) : device_(std::move(device)) {
    OpenDevice::call(plugin().prepare, device_->raw(), &request, &kernel_);
    plugin().kernel_facts(kernel_, &facts_);
  }
  ~PluginKernel() override {
    if (kernel_ != nullptr) plugin().release_kernel(kernel_);
  }
  PluginKernel(const PluginKernel&) = delete;
  PluginKernel& operator=(const PluginKernel&) = delete;

  std::string_view implementation() const noexcept override { return facts_.implementation; }
  std::string_view choice() const noexcept { return facts_.choice; }
  std::int64_t scratch() const noexcept override {
    constexpr std::int64_t kFloat = sizeof(float);
    return (facts_.scratch_bytes + kFloat - 1) / kFloat;
  }
  std::size_t weight_bytes() const noexcept override { return static_cast<std::size_t>(facts_.weight_bytes); }

  void run(const KernelArguments& arguments) const override {
    std::array<const void*, TESSERA_MOST_INPUTS> inputs{};
    std::ranges::transform(arguments.inputs, inputs.begin(), [](const ConstValueView& value) { return value.bytes(); });
    const auto* const queue = dynamic_cast<const PluginQueue*>(arguments.queue);
    if (queue == nullptr) throw InternalError("a kernel of a device was run on the host");
    OpenDevice::call(plugin().run, kernel_, queue->raw(), inputs.data(), static_cast<void*>(arguments.output.bytes()),
                     static_cast<void*>(arguments.scratch.data()), arguments.output.shape()[0]);
  }

 private:
  const TesseraPlugin& plugin() const noexcept { return device_->plugin(); }

  std::shared_ptr<const OpenDevice> device_;
  TesseraKernel* kernel_ = nullptr;
  TesseraKernelFacts facts_{};
};

class DeviceBackend final : public Backend {
 public:
  DeviceBackend(std::shared_ptr<OpenDevice> device, const DeviceOptions& options)
      : device_(std::move(device)), options_(options), name_(device_->plugin().name) {
    const TesseraFacts facts = facts_of(*device_);
    machine_ = std::string(facts.name) + ", " + facts.libraries;
  }

  std::string_view name() const noexcept override { return name_; }
  std::int64_t most_pictures() const noexcept override { return kMostPictures; }
  std::shared_ptr<const Device> device() const override { return std::make_shared<PluginDevice>(device_); }

  std::vector<ValueType> choose_types(const Graph& graph) const override {
    std::vector<ValueType> types(graph.value_count(), {.dtype = dtype()});
    for (const GraphInput& input : graph.inputs()) types[static_cast<std::size_t>(input.id)] = {};
    types[static_cast<std::size_t>(graph.output_id())] = {};
    return types;
  }

  std::unique_ptr<Kernel> prepare(const NodeRequest& request, std::vector<Tensor> weights) const override {
    if (request.in.size() > TESSERA_MOST_INPUTS) throw UsageError(request.node.path + ": more than 16 inputs");
    const std::vector<Tensor> prepared = layer_prepare(request.node.layer, std::move(weights));
    std::vector<TesseraWeight> given;
    given.reserve(prepared.size());
    for (const Tensor& tensor : prepared) given.push_back({tensor.data(), tensor.shape().count()});
    TesseraRequest asked{};
    const LayerDescription layer(request.node.layer);
    asked.layer = layer.raw();
    asked.input_count = static_cast<std::int32_t>(request.in.size());
    asked.weight_count = static_cast<std::int32_t>(given.size());
    for (std::size_t i = 0; i < request.in.size(); ++i) {
      asked.inputs[i] = describe_tensor(request.in[i], request.in_types[i].dtype);
    }
    asked.output = describe_tensor(request.out, request.out_type.dtype);
    asked.weights = given.data();
    try {
      return prepare_chosen(request, asked);
    } catch (const UsageError& error) {
      throw UsageError(request.node.path + ": " + error.what() + "; use --device cpu");
    }
  }

 private:
  // Enough to fill a large device; more go through in parts, whose copies overlap.
  static constexpr std::int64_t kMostPictures = 64;

  DType dtype() const {
    if (options_.precision == DevicePrecision::kF16) return DType::kF16;
    return options_.precision == DevicePrecision::kBf16 ? DType::kBf16 : DType::kF32;
  }

  std::unique_ptr<Kernel> prepare_chosen(const NodeRequest& request, TesseraRequest& asked) const {
    const std::string key = choice_key(request);
    const auto known = options_.choices.find(key);
    const bool measures = known == options_.choices.end() && options_.chosen;
    asked.choice = known != options_.choices.end() ? known->second.c_str() : measures ? "measure" : "";
    if (!measures) return std::make_unique<PluginKernel>(device_, asked);
    const std::scoped_lock lock(measuring_);  // one at a time has the device
    auto kernel = std::make_unique<PluginKernel>(device_, asked);
    if (!kernel->choice().empty()) options_.chosen(key, std::string(kernel->choice()));
    return kernel;
  }

  std::string choice_key(const NodeRequest& request) const {
    std::string key(layer_name(request.node.layer));
    key += " " + layer_attributes(request.node.layer) + ";";
    for (const Shape& shape : request.in) key += " " + to_string(shape) + ",";
    return key + " " + std::string(to_string(options_.precision)) + (options_.exact ? ", exact" : "") + "; " + machine_;
  }

  std::shared_ptr<OpenDevice> device_;
  DeviceOptions options_;
  std::string name_, machine_;
  mutable std::mutex measuring_;
};

}  // namespace

std::shared_ptr<OpenDevice> open_device(const TesseraPlugin& plugin, const DeviceOptions& options) {
  auto device = std::make_shared<OpenDevice>(plugin, options);
  const TesseraFacts facts = facts_of(*device);
  const bool lacks = (options.precision == DevicePrecision::kBf16 && facts.has_bf16 == 0) ||
                     (options.precision == DevicePrecision::kTf32 && facts.has_tf32 == 0);
  if (lacks) {
    throw DeviceError(std::string(facts.name) + " does not multiply " + std::string(to_string(options.precision)) +
                      "; it takes f32 and f16");
  }
  return device;
}

TesseraFacts facts_of(const OpenDevice& device) {
  TesseraFacts facts{};
  device.plugin().facts(device.raw(), &facts);
  return facts;
}

TesseraFacts facts_of(const Device& device) {
  const auto* const plugins = dynamic_cast<const PluginDevice*>(&device);
  if (plugins == nullptr) throw InternalError("a device that no plugin opened was asked for its facts");
  return facts_of(plugins->opened());
}

std::string describe_device(const TesseraFacts& facts) {
  return std::string(facts.name) + " (compute capability " + std::to_string(facts.major) + "." +
         std::to_string(facts.minor) + "; " + facts.libraries + ")";
}

std::unique_ptr<Backend> make_device_backend(std::shared_ptr<OpenDevice> device, const DeviceOptions& options) {
  return std::make_unique<DeviceBackend>(std::move(device), options);
}

}  // namespace tessera
