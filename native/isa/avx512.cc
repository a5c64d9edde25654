// The kernel table for AVX-512 (F, BW, DQ, VL).
#include "tables.h"

#ifdef CARILLON_AVX512

#include <immintrin.h>

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))), \
                             apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")
#endif

namespace carillon::avx512 {
namespace {
#include "../simd/avx512.h"
// The kernels see the vectors of this namespace.
#include "../kernels/kernels-inl.h"
}  // namespace
}  // namespace carillon::avx512

#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

namespace carillon {
constinit const KernelTable kAvx512Table = avx512::make_table("avx512");
}  // namespace carillon

#endif
