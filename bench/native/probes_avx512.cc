// The probes for AVX-512 (F, BW, DQ, VL).
#include "isa/tables.h"
#include "probes.h"

#ifdef __x86_64__

#include <cstdint>
#include <immintrin.h>

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))), \
                             apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")
#endif

namespace carillon::bench::avx512 {
namespace {
#include "simd/avx512.h"
#include "probes-inl.h"
}  // namespace
}  // namespace carillon::bench::avx512

#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

namespace carillon::bench {
constinit const ProbeTable kAvx512Probes = avx512::make_probes("avx512");
}  // namespace carillon::bench

#endif
