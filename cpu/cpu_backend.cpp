#include "cpu/cpu_backend.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "cpu/blocking.h"
#include "cpu/fusion.h"
#include "cpu/methods.h"

namespace tessera {

namespace {

class CpuBackend final : public Backend {
 public:
  explicit CpuBackend(const CpuOptions& options)
      : settings_(cpu::settings_for(options)),
        ranges_(options.ranges),
        input_range_(options.input_range),
        choices_(options.choices),
        reference_(make_eigen_backend()) {}

  std::string_view name() const noexcept override { return "cpu"; }

  std::size_t activation_cache() const noexcept override { return cpu::cache_for_activations(); }

  // In few bits the wide maps are small, and the kernels that read them are others.
  void rewrite(Graph& graph, const KeptValues& kept) const override {
    if (settings_.precision == Precision::kF32) cpu::fuse_inverted_residuals(settings_.table, graph, kept);
  }

  // A value is kept in few bits when the kernel that writes it and all that read it can do so.
  std::vector<ValueType> choose_types(const Graph& graph) const override {
    std::vector<ValueType> types(graph.value_count());
    if (settings_.precision == Precision::kF32) return types;
    for (const auto& [name, range] : ranges_) {
      const auto found = graph.names().find(name);
      if (found != graph.names().end()) types[index_of(found->second)] = quantisation_of(range);
    }
    if (input_range_) types[index_of(graph.input_id())] = quantisation_of(*input_range_);
    std::vector<bool> low(types.size(), false);
    for (const Node& node : graph.nodes()) {  // each value is written before it is read
      const cpu::Method method = first_method(graph, node, types);
      low[index_of(node.output)] = method.any_output && node.output != graph.output_id();
      for (std::size_t i = 0; i < node.inputs.size(); ++i) {
        if (!(i == 0 ? method.any_input : method.any_residual)) low[index_of(node.inputs[i])] = false;
      }
    }
    for (std::size_t i = 0; i < types.size(); ++i) {
      const bool known = settings_.precision == Precision::kBf16 || types[i].scale > 0;
      if (low[i] && known) types[i].dtype = settings_.low();
    }
    return types;
  }

  std::unique_ptr<Kernel> prepare(const NodeRequest& request, std::vector<Tensor> weights) const override {
    const std::vector<cpu::Method> methods = cpu::methods_for(settings_, request);
    if (!methods.empty()) {
      return chosen(methods, request).make(request, layer_prepare(request.node.layer, std::move(weights)));
    }
    return reference_->prepare(request, std::move(weights));
  }

 private:
  static std::size_t index_of(ValueId id) { return static_cast<std::size_t>(id); }

  // The way a node is expected to go if its values may be of any type.
  cpu::Method first_method(const Graph& graph, const Node& node, const std::vector<ValueType>& types) const {
    const std::vector<Shape> in = graph.input_shapes(node);
    std::vector<cpu::Method> found =
        cpu::methods_of(settings_, node.layer, in, graph.shape(node.output), types[index_of(node.inputs[0])]);
    return found.empty() ? cpu::Method() : std::move(found.front());
  }

  // The method that was measured to be the fastest, otherwise the first.
  const cpu::Method& chosen(const std::vector<cpu::Method>& methods, const NodeRequest& request) const {
    if (choices_.empty()) return methods.front();
    const auto choice = choices_.find(cpu::choice_key(settings_, request));
    if (choice == choices_.end()) return methods.front();
    const auto found = std::ranges::find(methods, choice->second, &cpu::Method::name);
    return found == methods.end() ? methods.front() : *found;
  }

  cpu::Settings settings_;
  ValueRanges ranges_;
  std::optional<ValueRange> input_range_;
  KernelChoices choices_;
  std::unique_ptr<Backend> reference_;
};

}  // namespace

std::vector<std::string> cpu_isas() {
  std::vector<std::string> names;
  for (const cpu::KernelTable& table : cpu::kernel_tables()) names.emplace_back(table.isa);
  return names;
}

std::unique_ptr<Backend> make_cpu_backend(const CpuOptions& options) { return std::make_unique<CpuBackend>(options); }

}  // namespace tessera
