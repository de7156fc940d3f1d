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

// The common base: a kernel with a name and a table.
class TableKernel : public Kernel {
 public:
  TableKernel(const KernelTable& table, std::string_view algorithm) : TableKernel(table, algorithm, table.name) {}
  TableKernel(const KernelTable& table, std::string_view algorithm, std::string_view set)
      : table_(table), name_(std::string(algorithm) + "_" + std::string(set)) {}
  std::string_view implementation() const noexcept final { return name_; }

 protected:
  const KernelTable& table_;  // of kernel_tables(): lives as long as the program

 private:
  std::string name_;
};

// The pixel outside a picture: values that stand for zero.
inline std::vector<std::byte> padding_pixel(const ValueType& type, std::int64_t channels) {
  const std::byte value = type.dtype == DType::kU8 ? static_cast<std::byte>(type.zero) : std::byte{0};
  return std::vector<std::byte>(static_cast<std::size_t>(channels * bytes_of(type.dtype)), value);
}

std::unique_ptr<Kernel> make_linear(const KernelTable& table, const Linear& layer, const NodeRequest& request,
                                    Weights weights);
// Any convolution without groups, as a product of rows gathered by pointers ("indirection").
std::unique_ptr<Kernel> make_conv(const KernelTable& table, const Conv2d& layer, const NodeRequest& request,
                                  Weights weights);
bool can_conv(const Conv2d& layer, const Shape& in);
// 1x1 convolutions with seven eighths of the multiplications.
std::unique_ptr<Kernel> make_strassen(const KernelTable& table, const Conv2d& layer, const NodeRequest& request,
                                      Weights weights);
bool can_strassen(const KernelTable& table, const Conv2d& layer, const Shape& in);
// Both in low precision: products of bfloat16, or of uint8 and int8. Values in and out may be of any type.
std::unique_ptr<Kernel> make_low_linear(const KernelTable& table, DType dtype, const Linear& layer,
                                        const NodeRequest& request, const Weights& weights);
std::unique_ptr<Kernel> make_low_conv(const KernelTable& table, DType dtype, const Conv2d& layer,
                                      const NodeRequest& request, const Weights& weights);
// By AMX, if the table has it: products of float32, bfloat16, or uint8 and int8. Values in and
// out may be of any type.
std::unique_ptr<Kernel> make_amx_linear(const KernelTable& table, DType operand, const Linear& layer,
                                        const NodeRequest& request, const Weights& weights);
std::unique_ptr<Kernel> make_amx_conv(const KernelTable& table, DType operand, const Conv2d& layer,
                                      const NodeRequest& request, const Weights& weights);
// Input and output (with no activation beyond a clamp) may be of any type; so may the residual of Winograd.
std::unique_ptr<Kernel> make_winograd(const KernelTable& table, const Conv2d& layer, const NodeRequest& request,
                                      Weights weights);
bool can_winograd(const Conv2d& layer);
bool can_depthwise(const Conv2d& layer, const Shape& in);
std::unique_ptr<Kernel> make_depthwise(const KernelTable& table, const Conv2d& layer, const NodeRequest& request,
                                       Weights weights);
// Of an input in uint8, by integers. make_depthwise() chooses it.
std::unique_ptr<Kernel> make_depthwise_int8(const KernelTable& table, const Conv2d& layer, const NodeRequest& request,
                                            const Weights& weights);
// Three convolutions without a wide map between them, where they are what the kernel takes and none is one for AMX.
bool can_fuse(const KernelTable& table, const InvertedResidual& layer, const Shape& in);
std::unique_ptr<Kernel> make_inverted_residual(const KernelTable& table, const InvertedResidual& layer,
                                               const NodeRequest& request, const Weights& weights);
std::unique_ptr<Kernel> make_attention(const KernelTable& table, const Attention& layer, const NodeRequest& request,
                                       Weights weights);
// The output may be of any type.
std::unique_ptr<Kernel> make_layer_norm(const KernelTable& table, const LayerNorm& layer, const NodeRequest& request,
                                        Weights weights);
std::unique_ptr<Kernel> make_softmax(const KernelTable& table);
std::unique_ptr<Kernel> make_activation(const KernelTable& table, const Activation& layer);
// Any type in and out.
bool can_max_pool(const Pool2d& layer);
std::unique_ptr<Kernel> make_max_pool(const KernelTable& table, const Pool2d& layer, const NodeRequest& request);
// Any type in.
std::unique_ptr<Kernel> make_global_average_pool(const KernelTable& table);

}  // namespace tessera::cpu
