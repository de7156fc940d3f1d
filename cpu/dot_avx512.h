#pragma once
// Tiles in low precision for machines that multiply it in one instruction: AVX-512 with VNNI (uint8 times int8, four at
// once) and with BF16 (two at once). Private to cpu/.

#include <vector>

#include "cpu/kernels.h"

namespace tessera::cpu {

// Appends the tables that this machine runs beyond `avx512`, the best first: the same kernels with other tiles.
void add_dot_products(const KernelTable& avx512, std::vector<KernelTable>& tables);

}  // namespace tessera::cpu
