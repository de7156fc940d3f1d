#pragma once
// A descriptor of cuDNN's backend interface: typed attributes, and what finalising it has made of them.

#include <cudnn_graph.h>

#include <cstddef>
#include <cstring>
#include <map>
#include <memory>
#include <vector>

#include "tests/cuda/emulated/product.h"

namespace tessera::emulated {

struct Descriptor;
using DescriptorPointer = std::shared_ptr<const Descriptor>;

struct Attribute {
  cudnnBackendAttributeType_t type = CUDNN_TYPE_INT64;
  std::int64_t count = 0;
  std::vector<std::byte> bytes;
  std::vector<DescriptorPointer> descriptors;  // of CUDNN_TYPE_BACKEND_DESCRIPTOR
};

struct DnnTensor {
  std::int64_t name = 0, alignment = 1;
  Type type = Type::kF32;
  std::vector<std::int64_t> size, step;
  bool is_virtual = false;
  std::int64_t count() const;
  std::int64_t extent() const;  // elements from the first to the last
};

// One of an operation graph.
struct DnnOperation {
  bool convolution = false;
  DnnTensor x, w, y;  // w: the filter, or the second operand of a sum
  bool has_w = false;
  Convolution geometry{};
  std::int64_t padding_after[2] = {};
  cudnnPointwiseMode_t mode = CUDNN_POINTWISE_IDENTITY;
  float low = 0, high = 0;  // of a ReLU
  bool clipped = false;
};

struct DnnEngine {
  std::int64_t index = 0;
  std::vector<cudnnBackendNumericalNote_t> notes;
  std::int64_t workspace = 0;
  bool finalizes = true;  // heuristics may offer what no plan can be made of
  bool has(cudnnBackendNumericalNote_t note) const;
};

struct Descriptor {
  cudnnBackendDescriptorType_t type = CUDNN_BACKEND_TENSOR_DESCRIPTOR;
  bool finalized = false;
  std::map<cudnnBackendAttributeName_t, Attribute> attributes;
  DnnTensor tensor;                 // of a tensor
  DnnOperation operation;           // of an operation
  std::vector<DnnOperation> graph;  // of an operation graph, and of what is made from one
  DnnEngine engine;                 // of an engine, its configuration and a plan
  std::vector<DnnEngine> engines;   // of a heuristic: its results

  const Attribute* find(cudnnBackendAttributeName_t name) const;
  const Descriptor* descriptor(cudnnBackendAttributeName_t name) const;
  template <class Value>
  Value value(cudnnBackendAttributeName_t name, Value otherwise) const {
    const Attribute* const attribute = find(name);
    if (attribute == nullptr || attribute->bytes.size() < sizeof(Value)) return otherwise;
    std::memcpy(&otherwise, attribute->bytes.data(), sizeof(Value));
    return otherwise;
  }
  std::vector<std::int64_t> numbers(cudnnBackendAttributeName_t name) const;
};

std::size_t size_of(cudnnBackendAttributeType_t type);

// Checks what has been set and fills the fields above. What real cuDNN refuses is refused.
cudnnStatus_t finalize(Descriptor& descriptor);

// Runs a graph. `addresses` by tensor name; bounds and alignment have been checked.
void run_graph(const std::vector<DnnOperation>& graph, const DnnEngine& engine,
               const std::map<std::int64_t, void*>& addresses);

}  // namespace tessera::emulated
