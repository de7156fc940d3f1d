#pragma once
// A node of the graph as the C ABI says it.

#include <deque>
#include <string>
#include <vector>

#include "core/value.h"
#include "device/plugin.h"
#include "layers/layer.h"

namespace tessera {

// A layer's name and fields. Owns all that raw() points to.
class LayerDescription {
 public:
  explicit LayerDescription(const Layer& layer);
  LayerDescription(const LayerDescription&) = delete;
  LayerDescription& operator=(const LayerDescription&) = delete;

  // Valid as long as this is.
  TesseraLayer raw() const;

 private:
  std::string name_;
  std::vector<TesseraField> fields_;
  std::deque<std::string> texts_;  // whose addresses stay
};

TesseraTensor describe_tensor(const Shape& shape, DType dtype);

}  // namespace tessera
