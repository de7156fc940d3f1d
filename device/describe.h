#pragma once
// A node of the graph as the C ABI says it.

#include <span>
#include <string>
#include <vector>

#include "core/tensor.h"
#include "device/plugin.h"
#include "engine/backend.h"

namespace tessera {

// Throws UsageError, naming the layer's path, for one that plugins do not know. Points to nothing of the request.
TesseraLayer describe_layer(const NodeRequest& request);

TesseraTensor describe_tensor(const Shape& shape, DType dtype);

}  // namespace tessera
