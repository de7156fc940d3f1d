#pragma once
// Intel's intrinsics, for what Highway does not have. GCC 12 takes what they leave undefined on purpose for a fault
// (its bug 105593). Private to cpu/.

#if defined(__x86_64__)
#pragma GCC diagnostic push
#if !defined(__clang__)  // which has no such warning
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop
#endif
