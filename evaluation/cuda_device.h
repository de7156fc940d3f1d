#pragma once
// Opens the CUDA plugin for `--device auto` and `--device cuda[:N]`.

#include <memory>
#include <string>

#include "engine/backend.h"
#include "evaluation/classifier.h"

namespace tessera {

// The backend for options.device "cuda" or "cuda:N". Throws DeviceError with one line that says why there is none,
// UsageError for an option that does not fit the device.
std::unique_ptr<Backend> make_cuda_backend(const RunOptions& options);

// The same for "auto": null where there is no plugin, or where only the CPU has the dtype. Null too for a plugin that
// cannot be used; options.note then gets the reason. A missing driver is detected without opening the plugin.
std::unique_ptr<Backend> make_cuda_backend_if_there(const RunOptions& options);

// The device behind options.device on this machine, for comparing runs that must not be mixed: "cpu", "eigen", or a
// GPU's description. Throws as make_cuda_backend() does.
std::string resolved_device(const RunOptions& options);

}  // namespace tessera
