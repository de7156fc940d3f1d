#pragma once
// Which backend a model runs on, by RunOptions; the CUDA plugin as `--device auto` and `--device cuda[:N]` ask for it.

#include <memory>
#include <string>
#include <string_view>

#include "engine/backend.h"
#include "engine/program.h"
#include "evaluation/ready/run_options.h"
#include "weights/model_file.h"

namespace tessera {

// The graph of a card's model. Throws UsageError where it takes pictures of another size than the card's preprocessing
// gives.
Graph graph_of(const ModelCard& card, std::int64_t max_batch);

// The backend for options.device, for a model with that card. Throws UsageError for an unknown name or a dtype that the
// device or model does not support, DeviceError for a device or instruction set that this build or machine does not
// have.
std::unique_ptr<Backend> make_backend(const RunOptions& options, const ModelCard& card);

// The instruction set of a device's kernels ("cpu", "eigen", "cuda"); "" for a device that has none. Logits differ in
// their last digits between instruction sets.
std::string isa_in_use(const RunOptions& options, std::string_view device);
// SHA-256 of the names of the kernels that compute the nodes. It identifies what --tune chose on this machine.
std::string kernels_sha256(const Program& program);

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
