#include "cpu/roofline.h"

#include <algorithm>
#include <chrono>

#include "core/clock.h"
#include "core/error.h"
#include "core/tensor.h"
#include "core/thread_pool.h"
#include "cpu/kernels.h"

namespace tessera {

namespace {

constexpr int kRounds = 20;

// The best of some rounds of work(), which returns how much it did, per second.
template <class Work>
double best_rate(const Work& work) {
  double best = 0;
  for (int round = 0; round < kRounds; ++round) {
    const auto begin = Clock::now();
    const double amount = work();
    best = std::max(best, amount / std::chrono::duration<double>(Clock::now() - begin).count());
  }
  return best;
}

}  // namespace

Roofline measure_roofline(const std::string& isa, int threads) {
  constexpr std::int64_t kIterations = 2'000'000;
  constexpr std::int64_t kFloats = 64 << 20;  // 256 MB: beyond any cache
  const cpu::KernelTable& table = cpu::find_table(isa);
  ThreadPool pool(threads);
  std::vector<float> results(static_cast<std::size_t>(threads));  // so that nothing is optimised away
  const double flops = best_rate([&] {
    pool.for_each(threads, [&](std::int64_t index, int) {
      results[static_cast<std::size_t>(index)] = table.multiply_adds(kIterations);
    });
    return static_cast<double>(threads * kIterations * cpu::kChains * table.lanes * 2);
  });
  const Tensor memory = Tensor::filled({kFloats}, 1.0F);
  const std::int64_t part = kFloats / threads;
  const double bytes = best_rate([&] {
    pool.for_each(threads, [&](std::int64_t index, int) {
      results[static_cast<std::size_t>(index)] += table.sum(memory.data() + index * part, part);
    });
    return static_cast<double>(part * threads) * sizeof(float);
  });
  if (!(results[0] > 0)) throw InternalError("the roofline's loops gave nothing");
  return {std::string(table.isa), threads, flops * 1e-9, bytes * 1e-9};
}

}  // namespace tessera
