#pragma once
// An operator new that can be told to fail, for a test binary of its own.

#include <cstdint>

namespace tessera {

// Lets so many allocations succeed, and the one behind them fail.
void fail_allocation(std::int64_t after);
// Whether it has come to that; none fails from here on.
bool allocation_failed();

}  // namespace tessera
