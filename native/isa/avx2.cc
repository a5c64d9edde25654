// The kernel table for AVX2 with FMA.
#include "tables.h"

#ifdef __x86_64__

#include <immintrin.h>

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif

namespace carillon::avx2 {
namespace {
#include "../simd/avx2.h"
// The kernels see the vectors of this namespace.
#include "../kernels/kernels-inl.h"
}  // namespace
}  // namespace carillon::avx2

#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

namespace carillon {
constinit const KernelTable kAvx2Table = avx2::make_table("avx2");
}  // namespace carillon

#endif
