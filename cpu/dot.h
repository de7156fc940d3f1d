#pragma once
// The instruction sets that multiply in low precision in one instruction: AVX-512 with VNNI (uint8 times int8, four at
// once) and with BF16 (two at once), AVX2 with VNNI; and AMX. Private to cpu/.

#include <vector>

#include "cpu/kernels.h"

namespace tessera::cpu {

// Appends what this machine runs beyond `table`, the best first: the same kernels with other tiles.
void add_dot_products(const KernelTable& table, std::vector<KernelTable>& tables);

}  // namespace tessera::cpu
