#pragma once
// Takes a network's tensors out of their wrapping: training frameworks, compilers and self-supervised methods put a
// prefix before every name ("module.", "_orig_mod.", "model.", "backbone.") and store other networks in the same file.
// Private to weights/.

#include <functional>
#include <optional>
#include <string>

#include "engine/weight_store.h"

namespace tessera {

// Keeps the tensors of one network, without its prefix: `prefix` where it is given, otherwise that of the only network
// whose first layer is found. Calls `note` with the prefix and with what was left out. Throws ModelFileError when no
// tensor has the prefix, when several networks are found, or when a classifier's head is outside the network.
WeightStore unwrap(WeightStore weights, const std::optional<std::string>& prefix,
                   const std::function<void(const std::string&)>& note);

}  // namespace tessera
