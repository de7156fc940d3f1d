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
// device or model does not take, DeviceError for a device or instruction set that this build or machine does not have.
std::unique_ptr<Backend> make_backend(const RunOptions& options, const ModelCard& card);

// The instruction set that the kernels of a device ("cpu", "eigen", "cuda") are taken from; "" where that says nothing.
// Logits differ in their last digits between two of them.
std::string isa_in_use(const RunOptions& options, std::string_view device);
// Of which kernels compute the nodes, SHA-256: what --tune chose on this machine, in other words.
std::string kernels_sha256(const Program& program);

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
