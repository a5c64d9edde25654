// Vectors of 8 floats: AVX2 and FMA. Contract: contract.md. A mask is a vector of all-ones or all-zeros lanes.

struct F {
  static constexpr size_t N = 8;
  __m256 v;
};
struct I {
  __m256i v;
};
struct U {
  __m256i v;
};
struct M {
  __m256i v;
};

CARILLON_INLINE I splat_i(int32_t x) { return {_mm256_set1_epi32(x)}; }
CARILLON_INLINE U splat_u(uint32_t x) { return {_mm256_set1_epi32(static_cast<int32_t>(x))}; }
CARILLON_INLINE U lane_numbers() { return {_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)}; }

CARILLON_INLINE M first_lanes(size_t count) {
  return {_mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int32_t>(count)), lane_numbers().v)};
}
CARILLON_INLINE uint32_t bits_of(M m) { return static_cast<uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(m.v))); }
CARILLON_INLINE M mask_of(uint32_t word) {
  const __m256i bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
  return {_mm256_cmpeq_epi32(_mm256_and_si256(splat_u(word).v, bit), bit)};
}

CARILLON_INLINE F load(const float* p) { return {_mm256_loadu_ps(p)}; }
CARILLON_INLINE void store(float* p, F x) { _mm256_storeu_ps(p, x.v); }
CARILLON_INLINE F load_part(const float* p, size_t count) { return {_mm256_maskload_ps(p, first_lanes(count).v)}; }
CARILLON_INLINE void store_part(float* p, F x, size_t count) { _mm256_maskstore_ps(p, first_lanes(count).v, x.v); }
// The address is an integer: it may lie behind the array's end.
CARILLON_INLINE void prefetch(const float* p, size_t ahead) {
  __builtin_prefetch(__builtin_bit_cast(const void*, reinterpret_cast<uintptr_t>(p) + ahead * sizeof(float)));
}
CARILLON_INLINE U load_u(const uint32_t* p) { return {_mm256_loadu_si256(reinterpret_cast<const __m256i_u*>(p))}; }
CARILLON_INLINE F load_u8(const uint8_t* p) {
  int64_t bytes;
  __builtin_memcpy(&bytes, p, 8);
  return {_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_cvtsi64_si128(bytes)))};
}
CARILLON_INLINE F load_i8(const signed char* p) {
  int64_t bytes;
  __builtin_memcpy(&bytes, p, 8);
  return {_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_cvtsi64_si128(bytes)))};
}
CARILLON_INLINE void store_u(uint32_t* p, U x) { _mm256_storeu_si256(reinterpret_cast<__m256i_u*>(p), x.v); }

CARILLON_INLINE F splat(float x) { return {_mm256_set1_ps(x)}; }
CARILLON_INLINE F zero() { return {_mm256_setzero_ps()}; }

CARILLON_INLINE U bits(F x) { return {_mm256_castps_si256(x.v)}; }
CARILLON_INLINE F from_bits(U x) { return {_mm256_castsi256_ps(x.v)}; }
CARILLON_INLINE I as_i(U x) { return {x.v}; }
CARILLON_INLINE U as_u(I x) { return {x.v}; }

CARILLON_INLINE F add(F a, F b) { return {_mm256_add_ps(a.v, b.v)}; }
CARILLON_INLINE F sub(F a, F b) { return {_mm256_sub_ps(a.v, b.v)}; }
CARILLON_INLINE F mul(F a, F b) { return {_mm256_mul_ps(a.v, b.v)}; }
CARILLON_INLINE F div(F a, F b) { return {_mm256_div_ps(a.v, b.v)}; }
CARILLON_INLINE F sqrt(F a) { return {_mm256_sqrt_ps(a.v)}; }
CARILLON_INLINE F sqrt_beside(F a) { return sqrt(a); }
CARILLON_INLINE F negate(F a) { return {_mm256_xor_ps(a.v, _mm256_set1_ps(-0.0f))}; }
CARILLON_INLINE F abs(F a) { return {_mm256_andnot_ps(_mm256_set1_ps(-0.0f), a.v)}; }
CARILLON_INLINE F fma(F a, F b, F c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
CARILLON_INLINE F fnma(F a, F b, F c) { return {_mm256_fnmadd_ps(a.v, b.v, c.v)}; }

CARILLON_INLINE M less(F a, F b) { return {_mm256_castps_si256(_mm256_cmp_ps(a.v, b.v, _CMP_LT_OQ))}; }
CARILLON_INLINE M less_equal(F a, F b) { return {_mm256_castps_si256(_mm256_cmp_ps(a.v, b.v, _CMP_LE_OQ))}; }
CARILLON_INLINE M equal(F a, F b) { return {_mm256_castps_si256(_mm256_cmp_ps(a.v, b.v, _CMP_EQ_OQ))}; }
CARILLON_INLINE M unordered(F a, F b) { return {_mm256_castps_si256(_mm256_cmp_ps(a.v, b.v, _CMP_UNORD_Q))}; }
CARILLON_INLINE M below_normal(F a) { return less(abs(a), splat(0x1p-126f)); }
CARILLON_INLINE M less(I a, I b) { return {_mm256_cmpgt_epi32(b.v, a.v)}; }
CARILLON_INLINE M less(U a, U b) {
  const __m256i sign = _mm256_set1_epi32(INT32_MIN);
  return {_mm256_cmpgt_epi32(_mm256_xor_si256(b.v, sign), _mm256_xor_si256(a.v, sign))};
}
CARILLON_INLINE M equal(I a, I b) { return {_mm256_cmpeq_epi32(a.v, b.v)}; }

CARILLON_INLINE M both(M a, M b) { return {_mm256_and_si256(a.v, b.v)}; }
CARILLON_INLINE M either(M a, M b) { return {_mm256_or_si256(a.v, b.v)}; }
CARILLON_INLINE M flip(M a) { return {_mm256_xor_si256(a.v, _mm256_set1_epi32(-1))}; }
CARILLON_INLINE F select(M m, F a, F b) { return {_mm256_blendv_ps(b.v, a.v, _mm256_castsi256_ps(m.v))}; }
CARILLON_INLINE I select(M m, I a, I b) { return {_mm256_blendv_epi8(b.v, a.v, m.v)}; }
CARILLON_INLINE U select(M m, U a, U b) { return {_mm256_blendv_epi8(b.v, a.v, m.v)}; }

CARILLON_INLINE U add(U a, U b) { return {_mm256_add_epi32(a.v, b.v)}; }
CARILLON_INLINE U sub(U a, U b) { return {_mm256_sub_epi32(a.v, b.v)}; }
CARILLON_INLINE I add(I a, I b) { return {_mm256_add_epi32(a.v, b.v)}; }
CARILLON_INLINE I sub(I a, I b) { return {_mm256_sub_epi32(a.v, b.v)}; }
CARILLON_INLINE U bit_and(U a, U b) { return {_mm256_and_si256(a.v, b.v)}; }
CARILLON_INLINE U bit_or(U a, U b) { return {_mm256_or_si256(a.v, b.v)}; }
CARILLON_INLINE U bit_xor(U a, U b) { return {_mm256_xor_si256(a.v, b.v)}; }
CARILLON_INLINE U bit_xor(U a, U b, U c) { return bit_xor(bit_xor(a, b), c); }
template <int k>
CARILLON_INLINE U shift_left(U a) {
  return {_mm256_slli_epi32(a.v, k)};
}
template <int k>
CARILLON_INLINE U shift_right(U a) {
  return {_mm256_srli_epi32(a.v, k)};
}
// vpmuludq multiplies the even lanes; the odd ones are shifted down and their products merged back.
CARILLON_INLINE void multiply_wide(U a, uint32_t m, U& high, U& low) {
  const __m256i factor = splat_u(m).v;
  const __m256i even = _mm256_mul_epu32(a.v, factor);
  const __m256i odd = _mm256_mul_epu32(_mm256_srli_epi64(a.v, 32), factor);
  high = {_mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xaa)};
  low = {_mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xaa)};
}

// Bytes are gathered by their place within each half, then the dwords of both registers.
struct B {
  __m256i low, high;  // bytes 0 and 1 of the lanes, bytes 2 and 3
};
CARILLON_INLINE B bytes_of(const U* r) {
  const __m256i by_byte =
      _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
  const __m256i by_place = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  const __m256i first = _mm256_shuffle_epi8(r[0].v, by_byte);
  const __m256i second = _mm256_shuffle_epi8(r[1].v, by_byte);
  return {_mm256_permutevar8x32_epi32(_mm256_unpacklo_epi32(first, second), by_place),
          _mm256_permutevar8x32_epi32(_mm256_unpackhi_epi32(first, second), by_place)};
}
CARILLON_INLINE uint64_t join_bits(__m256i low, __m256i high) {
  return static_cast<uint32_t>(_mm256_movemask_epi8(low)) | uint64_t{static_cast<uint32_t>(_mm256_movemask_epi8(high))}
                                                                << 32;
}
// There is no unsigned compare: a >= limit where the maximum of both is a.
CARILLON_INLINE uint64_t less_bits(B a, uint32_t limit) {
  const __m256i x = _mm256_set1_epi8(static_cast<char>(limit));
  return ~join_bits(_mm256_cmpeq_epi8(_mm256_max_epu8(a.low, x), a.low),
                    _mm256_cmpeq_epi8(_mm256_max_epu8(a.high, x), a.high));
}
CARILLON_INLINE uint64_t equal_bits(B a, uint32_t value) {
  const __m256i x = _mm256_set1_epi8(static_cast<char>(value));
  return join_bits(_mm256_cmpeq_epi8(a.low, x), _mm256_cmpeq_epi8(a.high, x));
}

CARILLON_INLINE F to_float(I a) { return {_mm256_cvtepi32_ps(a.v)}; }
CARILLON_INLINE I truncate(F a) { return {_mm256_cvttps_epi32(a.v)}; }

CARILLON_INLINE float add_tree(const F* r) {
  const __m256 x8 = _mm256_add_ps(r[0].v, r[1].v);
  const __m128 x4 = _mm_add_ps(_mm256_castps256_ps128(x8), _mm256_extractf128_ps(x8, 1));
  const __m128 x2 = _mm_add_ps(x4, _mm_movehl_ps(x4, x4));
  return _mm_cvtss_f32(_mm_add_ss(x2, _mm_shuffle_ps(x2, x2, 1)));
}

// Two rows become one register in each of three rounds, which add halves, pairs and neighbours.
CARILLON_INLINE F add_trees(const F* r) {
  __m256 halves[4];
#pragma GCC unroll 4
  for (size_t i = 0; i < 4; ++i) {
    const __m256 a = _mm256_add_ps(r[2 * i].v, r[2 * i + 1].v);
    const __m256 b = _mm256_add_ps(r[2 * i + 8].v, r[2 * i + 9].v);
    halves[i] = _mm256_add_ps(_mm256_permute2f128_ps(a, b, 0x20), _mm256_permute2f128_ps(a, b, 0x31));
  }
  __m256 pairs[2];
#pragma GCC unroll 2
  for (size_t i = 0; i < 2; ++i) {
    const __m256d a = _mm256_castps_pd(halves[2 * i]), b = _mm256_castps_pd(halves[2 * i + 1]);
    pairs[i] = _mm256_add_ps(_mm256_castpd_ps(_mm256_unpacklo_pd(a, b)), _mm256_castpd_ps(_mm256_unpackhi_pd(a, b)));
  }
  return {_mm256_add_ps(_mm256_shuffle_ps(pairs[0], pairs[1], 0x88), _mm256_shuffle_ps(pairs[0], pairs[1], 0xdd))};
}

// Three rounds: pairs of floats, pairs of doubles, then 128-bit halves.
CARILLON_INLINE void transpose(F* r) {
  __m256 t[8];
#pragma GCC unroll 4
  for (int i = 0; i < 8; i += 2) {
    t[i] = _mm256_unpacklo_ps(r[i].v, r[i + 1].v);
    t[i + 1] = _mm256_unpackhi_ps(r[i].v, r[i + 1].v);
  }
  // u[4h + j]: columns j and j + 4 of rows 4h … 4h + 3
  __m256 u[8];
#pragma GCC unroll 2
  for (int i = 0; i < 8; i += 4) {
    u[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
    u[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
    u[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
    u[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
  }
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    r[j].v = _mm256_permute2f128_ps(u[j], u[4 + j], 0x20);
    r[4 + j].v = _mm256_permute2f128_ps(u[j], u[4 + j], 0x31);
  }
}
