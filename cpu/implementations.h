#pragma once
// One factory for each way of computing a layer. Each takes the weights as the layer's prepare() leaves them and gives
// a kernel named for its algorithm and instruction set. Private to cpu/.

#include <memory>
#include <string>
#include <vector>

#include "cpu/kernels.h"
#include "engine/backend.h"

namespace tessera::cpu {

using Weights = std::vector<Tensor>;

// A kernel with a name and a table: what all here have in common.
class TableKernel : public Kernel {
 public:
  TableKernel(const KernelTable& table, std::string_view algorithm)
      : table_(table), name_(std::string(algorithm) + "_" + std::string(table.name)) {}
  std::string_view implementation() const noexcept final { return name_; }

 protected:
  const KernelTable& table_;  // of kernel_tables(): lives as long as the program

 private:
  std::string name_;
};

std::unique_ptr<Kernel> make_linear(const KernelTable& table, const Linear& layer, Weights weights, int threads);
// Any convolution without groups, as a product of rows gathered by pointers ("indirection").
std::unique_ptr<Kernel> make_conv(const KernelTable& table, const Conv2d& layer, const Shape& in, const Shape& out,
                                  Weights weights, int threads);
bool can_conv(const Conv2d& layer, const Shape& in);
std::unique_ptr<Kernel> make_winograd(const KernelTable& table, const Conv2d& layer, const Shape& in, const Shape& out,
                                      Weights weights, int threads);
bool can_winograd(const Conv2d& layer);
bool can_depthwise(const Conv2d& layer, const Shape& in);
std::unique_ptr<Kernel> make_depthwise(const KernelTable& table, const Conv2d& layer, const Shape& in,
                                       Weights weights);
std::unique_ptr<Kernel> make_attention(const KernelTable& table, const Attention& layer, const Shape& in, int threads);
std::unique_ptr<Kernel> make_layer_norm(const KernelTable& table, const LayerNorm& layer, Weights weights);
std::unique_ptr<Kernel> make_softmax(const KernelTable& table);
std::unique_ptr<Kernel> make_activation(const KernelTable& table, const Activation& layer);
bool can_max_pool(const Pool2d& layer);
std::unique_ptr<Kernel> make_max_pool(const KernelTable& table, const Pool2d& layer);
std::unique_ptr<Kernel> make_global_average_pool(const KernelTable& table);

}  // namespace tessera::cpu
