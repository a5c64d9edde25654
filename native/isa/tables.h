// What isa/<isa>.cc exports (the table, nothing else) and the two words that simd/ and kernels/ need.
#pragma once

#include "../kernels/table.h"

// Every function over F is inlined: a call would spill the vectors, and a copy outside the region would leak the ISA.
#define CARILLON_INLINE [[maybe_unused]] inline __attribute__((always_inline))

// Full unrolling of the following loop, whose trip count is a constant of at most 16. GCC 12 leaves it at -O2.
#ifdef __clang__
#define CARILLON_UNROLL _Pragma("clang loop unroll(full)")
#else
#define CARILLON_UNROLL _Pragma("GCC unroll 16")
#endif

// macOS saves the states of AVX-512 only for threads that have used it once, and does not say so in XCR0: dispatch
// would never choose this table there.
#if defined(__x86_64__) && !defined(__APPLE__) && !defined(CARILLON_WITHOUT_AVX512)
#define CARILLON_AVX512
#endif

namespace carillon {

#ifdef CARILLON_AVX512
extern const KernelTable kAvx512Table;
#endif
#ifdef __x86_64__
extern const KernelTable kAvx2Table;
#endif
#ifdef __aarch64__
extern const KernelTable kNeonTable;
#endif
extern const KernelTable kScalarTable;

}  // namespace carillon
