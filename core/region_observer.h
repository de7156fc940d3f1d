#pragma once
// Observes what each thread of a ThreadPool does, for traces.

#include <cstdint>

namespace tessera {

class RegionObserver {
 public:
  virtual ~RegionObserver() = default;
  // Called at the end of a thread's part of a parallel region, on that thread; from several threads at once. Steady
  // clock. `tasks` is how many indices it took.
  virtual void after_part(int thread, std::int64_t begin_ns, std::int64_t end_ns, std::int64_t tasks) = 0;
};

}  // namespace tessera
