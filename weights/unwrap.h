#pragma once
// A network's tensors out of what wraps them: training frameworks, compilers and self-supervised methods put a prefix
// before every name ("module.", "_orig_mod.", "model.", "backbone.") and keep other networks beside. Private to
// weights/.

#include <functional>
#include <optional>
#include <string>

#include "engine/weight_store.h"

namespace tessera {

// Leaves the tensors of one network, without its prefix: `prefix` where it is given, otherwise that of the one network
// whose first layer is found. Tells `note` what was taken off and what left out. Throws ModelFileError when no tensor
// has the prefix, when several networks are found, or when a classifier's head stands outside of the network.
WeightStore unwrap(WeightStore weights, const std::optional<std::string>& prefix,
                   const std::function<void(const std::string&)>& note);

}  // namespace tessera
