// The probes for AVX2 with FMA.
#include "isa/tables.h"
#include "probes.h"

#ifdef __x86_64__

#include <cstdint>
#include <immintrin.h>

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif

namespace carillon::bench::avx2 {
namespace {
#include "simd/avx2.h"
#include "probes-inl.h"
}  // namespace
}  // namespace carillon::bench::avx2

#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

namespace carillon::bench {
constinit const ProbeTable kAvx2Probes = avx2::make_probes("avx2");
}  // namespace carillon::bench

#endif
