#include "cpu/cpu_backend.h"

#include <utility>

#include "cpu/implementations.h"

namespace tessera {

namespace {

using cpu::KernelTable;

// What one node is prepared from.
struct Request {
  const Node& node;
  Shapes in;
  const Shape& out;
  int threads;
};

// Winograd saves multiplications and costs two transforms and four times the weights. It loses where a picture has few
// tiles, because then the weights, not the arithmetic, take the time.
bool winograd_pays(const Shape& in, const Shape& out) {
  constexpr std::int64_t kFewestTiles = 12, kFewestChannels = 32;
  const std::int64_t tiles = (out[1] + 3) / 4 * ((out[2] + 3) / 4);
  return tiles >= kFewestTiles && in[3] >= kFewestChannels && out[3] >= kFewestChannels;
}

// Prepares a layer, or returns null to leave it to its own forward(). `weights` are taken only when it prepares it.
class Preparer {
 public:
  Preparer(const KernelTable& table, bool exact, const Request& request, std::vector<Tensor>& weights)
      : table_(table), exact_(exact), request_(request), weights_(weights) {}

  std::unique_ptr<Kernel> operator()(const Conv2d& layer) const {
    const Shape& in = request_.in[0];
    if (cpu::can_depthwise(layer, in)) return cpu::make_depthwise(table_, layer, in, prepared());
    if (!exact_ && cpu::can_winograd(layer) && winograd_pays(in, request_.out)) {
      return cpu::make_winograd(table_, layer, in, request_.out, prepared(), request_.threads);
    }
    if (cpu::can_conv(layer, in)) return cpu::make_conv(table_, layer, in, request_.out, prepared(), request_.threads);
    return nullptr;
  }
  std::unique_ptr<Kernel> operator()(const PatchEmbed& layer) const {
    const Conv2d conv = layer.convolution();
    const Shape& in = request_.in[0];
    if (!cpu::can_conv(conv, in)) return nullptr;
    return cpu::make_conv(table_, conv, in, conv.output_shape(request_.in), prepared(), request_.threads);
  }
  std::unique_ptr<Kernel> operator()(const Linear& layer) const { return cpu::make_linear(table_, layer, prepared(), request_.threads); }
  std::unique_ptr<Kernel> operator()(const Attention& layer) const {
    return cpu::make_attention(table_, layer, request_.in[0], request_.threads);
  }
  std::unique_ptr<Kernel> operator()(const LayerNorm& layer) const {
    return cpu::make_layer_norm(table_, layer, prepared());
  }
  std::unique_ptr<Kernel> operator()(const Softmax&) const { return cpu::make_softmax(table_); }
  std::unique_ptr<Kernel> operator()(const Activation& layer) const { return cpu::make_activation(table_, layer); }
  std::unique_ptr<Kernel> operator()(const Pool2d& layer) const {
    return cpu::can_max_pool(layer) ? cpu::make_max_pool(table_, layer) : nullptr;
  }
  std::unique_ptr<Kernel> operator()(const GlobalAveragePool&) const { return cpu::make_global_average_pool(table_); }
  // The rest copies or adds: memory is what it waits for.
  template <class Other>
  std::unique_ptr<Kernel> operator()(const Other&) const {
    return nullptr;
  }

 private:
  std::vector<Tensor> prepared() const { return layer_prepare(request_.node.layer, std::move(weights_)); }

  const KernelTable& table_;
  bool exact_;
  const Request& request_;
  std::vector<Tensor>& weights_;
};

class CpuBackend final : public Backend {
 public:
  CpuBackend(const KernelTable& table, bool exact) : table_(table), exact_(exact), reference_(make_eigen_backend()) {}

  std::string_view name() const noexcept override { return "cpu"; }
  std::unique_ptr<Kernel> prepare(const Node& node, Shapes in, const Shape& out, std::vector<Tensor> weights,
                                  int threads) const override {
    const Request request{node, in, out, threads};
    std::unique_ptr<Kernel> kernel = std::visit(Preparer(table_, exact_, request, weights), node.layer);
    if (kernel != nullptr) return kernel;
    return reference_->prepare(node, in, out, std::move(weights), threads);
  }

 private:
  const KernelTable& table_;
  bool exact_;
  std::unique_ptr<Backend> reference_;
};

}  // namespace

std::vector<std::string> cpu_isas() {
  std::vector<std::string> names;
  for (const KernelTable& table : cpu::kernel_tables()) names.emplace_back(table.name);
  return names;
}

std::unique_ptr<Backend> make_cpu_backend(const CpuOptions& options) {
  return std::make_unique<CpuBackend>(cpu::find_table(options.isa), options.exact);
}

}  // namespace tessera
