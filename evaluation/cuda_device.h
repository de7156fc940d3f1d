#pragma once
// The CUDA plugin as `--device auto` and `--device cuda[:N]` ask for it.

#include <memory>
#include <string>

#include "engine/backend.h"
#include "evaluation/classifier.h"

namespace tessera {

// The backend for options.device "cuda" or "cuda:N". Throws DeviceError with one line that says why there is none,
// UsageError for an option that does not go with it.
std::unique_ptr<Backend> make_cuda_backend(const RunOptions& options);

// The same for "auto": null where there is no plugin, or the dtype is one of the CPU's alone; where there is a plugin
// that cannot be used, null as well, and options.note is told why. A machine without a driver is found out without
// opening the plugin.
std::unique_ptr<Backend> make_cuda_backend_if_there(const RunOptions& options);

// Which device options.device is here, for what must not be mixed: "cpu", "eigen", or a GPU's description. Throws as
// make_cuda_backend().
std::string resolved_device(const RunOptions& options);

}  // namespace tessera
