#include "weights/tensor_kinds.h"

#include "models/family.h"

namespace tessera {

void refuse_unsupported_tensors(const WeightStore& weights) {
  for (const auto& [name, tensor] : weights.tensors()) {
    for (const Family* family : families()) {
      for (const auto& [part, kind] : family->lacks_tensors) {
        if (name.find(part) != std::string::npos) refuse_tensor(name, tensor, kind);
      }
    }
  }
  for (const Family* family : families()) {
    if (family->refuse_tensors != nullptr) family->refuse_tensors(weights);
  }
}

}  // namespace tessera
