#include "cuda/measure.h"

#include <algorithm>
#include <limits>

namespace tessera::cuda {

namespace {

constexpr int kRounds = 3, kRuns = 5;

// Nanoseconds of kRuns runs: the least of kRounds, after one run to warm up.
std::int64_t time_of(const TesseraKernel& kernel, const TesseraRun& run) {
  kernel.run(run);
  std::int64_t least = std::numeric_limits<std::int64_t>::max();
  for (int round = 0; round < kRounds; ++round) {
    run.queue.mark(0);
    for (int i = 0; i < kRuns; ++i) kernel.run(run);
    run.queue.mark(1);
    run.queue.synchronise();
    least = std::min(least, run.queue.between_ns(0, 1));
  }
  return least;
}

}  // namespace

Kernel fastest(TesseraDevice& device, const TesseraRequest& request, std::vector<Kernel> candidates) {
  const auto bytes = [](const TesseraTensor& tensor) {
    return round_up(count_of(tensor) * bytes_of(type_of(tensor)), kScratchAlignment);
  };
  std::int64_t scratch = 0, arena = bytes(request.output);
  for (const Kernel& kernel : candidates) scratch = std::max(scratch, kernel->scratch_bytes);
  for (int i = 0; i < request.input_count; ++i) arena += bytes(request.inputs[i]);
  device.use();
  TesseraQueue queue(device, {.arena_bytes = arena,
                              .scratch_bytes = scratch,
                              .input_bytes = 0,
                              .output_bytes = 0,
                              .input_slots = 0,
                              .marks = 2});
  check(cudaMemsetAsync(queue.arena(), 0, static_cast<std::size_t>(arena), queue.work()), "clearing memory");
  auto* at = static_cast<std::byte*>(queue.arena());
  std::vector<const void*> inputs;
  for (int i = 0; i < request.input_count; ++i) {
    inputs.push_back(at);
    at += bytes(request.inputs[i]);
  }
  const TesseraRun run{.inputs = inputs.data(),
                       .output = at,
                       .scratch = static_cast<std::byte*>(queue.scratch()),
                       .batch = request.inputs[0].size[0],
                       .queue = queue};
  Kernel best;
  std::int64_t best_ns = std::numeric_limits<std::int64_t>::max();
  std::string why = "there is none";
  for (Kernel& kernel : candidates) {
    try {
      const std::int64_t ns = time_of(*kernel, run);
      if (ns >= best_ns) continue;
      best_ns = ns;
      best = std::move(kernel);
    } catch (const Failure& failure) {
      why = failure.what();
    }
  }
  if (best == nullptr) throw Failure(kDevice, "no way of computing the layer works: " + why);
  return best;
}

}  // namespace tessera::cuda
