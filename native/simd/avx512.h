// Vectors of 16 floats: AVX-512 F, BW, DQ, VL. Contract: contract.md.
// Where the plain intrinsic of GCC 12 warns of its own undefined operand, the masked form stands with all lanes set:
// the same instruction.

struct F {
  static constexpr size_t N = 16;
  __m512 v;
};
struct I {
  __m512i v;
};
struct U {
  __m512i v;
};
struct M {
  __mmask16 v;
};

CARILLON_INLINE F to_float(I a) { return {_mm512_maskz_cvtepi32_ps(static_cast<__mmask16>(0xffff), a.v)}; }
CARILLON_INLINE M first_lanes(size_t count) { return {static_cast<__mmask16>((1u << count) - 1u)}; }
CARILLON_INLINE uint32_t bits_of(M m) { return m.v; }
CARILLON_INLINE M mask_of(uint32_t word) { return {static_cast<__mmask16>(word)}; }

CARILLON_INLINE F load(const float* p) { return {_mm512_loadu_ps(p)}; }
CARILLON_INLINE void store(float* p, F x) { _mm512_storeu_ps(p, x.v); }
CARILLON_INLINE F load_part(const float* p, size_t count) { return {_mm512_maskz_loadu_ps(first_lanes(count).v, p)}; }
CARILLON_INLINE void store_part(float* p, F x, size_t count) { _mm512_mask_storeu_ps(p, first_lanes(count).v, x.v); }
// The address is an integer: it may lie behind the array's end.
CARILLON_INLINE void prefetch(const float* p, size_t ahead) {
  __builtin_prefetch(__builtin_bit_cast(const void*, reinterpret_cast<uintptr_t>(p) + ahead * sizeof(float)));
}
CARILLON_INLINE U load_u(const uint32_t* p) { return {_mm512_loadu_si512(p)}; }
CARILLON_INLINE F load_u8(const uint8_t* p) {
  __m128i bytes;
  __builtin_memcpy(&bytes, p, 16);
  return to_float({_mm512_maskz_cvtepu8_epi32(static_cast<__mmask16>(0xffff), bytes)});
}
CARILLON_INLINE F load_i8(const signed char* p) {
  __m128i bytes;
  __builtin_memcpy(&bytes, p, 16);
  return to_float({_mm512_maskz_cvtepi8_epi32(static_cast<__mmask16>(0xffff), bytes)});
}
CARILLON_INLINE void store_u(uint32_t* p, U x) { _mm512_storeu_si512(p, x.v); }

CARILLON_INLINE F splat(float x) { return {_mm512_set1_ps(x)}; }
CARILLON_INLINE F zero() { return {_mm512_setzero_ps()}; }
CARILLON_INLINE I splat_i(int32_t x) { return {_mm512_set1_epi32(x)}; }
CARILLON_INLINE U splat_u(uint32_t x) { return {_mm512_set1_epi32(static_cast<int32_t>(x))}; }
CARILLON_INLINE U lane_numbers() { return {_mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)}; }

CARILLON_INLINE U bits(F x) { return {_mm512_castps_si512(x.v)}; }
CARILLON_INLINE F from_bits(U x) { return {_mm512_castsi512_ps(x.v)}; }
CARILLON_INLINE I as_i(U x) { return {x.v}; }
CARILLON_INLINE U as_u(I x) { return {x.v}; }

CARILLON_INLINE F add(F a, F b) { return {_mm512_add_ps(a.v, b.v)}; }
CARILLON_INLINE F sub(F a, F b) { return {_mm512_sub_ps(a.v, b.v)}; }
CARILLON_INLINE F mul(F a, F b) { return {_mm512_mul_ps(a.v, b.v)}; }
CARILLON_INLINE F div(F a, F b) { return {_mm512_div_ps(a.v, b.v)}; }
CARILLON_INLINE F sqrt(F a) { return {_mm512_maskz_sqrt_ps(static_cast<__mmask16>(0xffff), a.v)}; }
// The root of every lane by multiply-adds, where the unit for roots and quotients is what a loop waits for. With s
// within one unit in the last place of √x: s⁻ and s⁺, its neighbours, are nearer exactly if x ≤ s·s⁻ or x > s·s⁺
// (Tuckerman), and a fused multiply-add tells the sign of the difference exactly from 2^-78 on. Everything smaller,
// infinite or no number is left to the unit. 2^-14 of the estimate is 1.5·2^-28 after the step, and roundings are 2^-24
// and less.
CARILLON_INLINE F sqrt_beside(F a) {
  const __m512i word = _mm512_castps_si512(a.v);
  const __mmask16 in_range = _mm512_cmplt_epu32_mask(_mm512_sub_epi32(word, _mm512_set1_epi32(0x18800000)),
                                                     _mm512_set1_epi32(0x7e000000 - 0x18800000));
  if (__builtin_expect(in_range != 0xffff, 0)) return sqrt(a);
  const __m512 half = _mm512_set1_ps(0.5f);
  const __m512 estimate = _mm512_maskz_rsqrt14_ps(static_cast<__mmask16>(0xffff), a.v);
  const __m512 first = _mm512_mul_ps(a.v, estimate);
  const __m512 error = _mm512_fnmadd_ps(first, _mm512_mul_ps(estimate, half), half);
  const __m512 s = _mm512_fmadd_ps(first, error, first);
  const __m512i bits_of_s = _mm512_castps_si512(s);
  const __m512i one = _mm512_set1_epi32(1);
  const __m512 below = _mm512_castsi512_ps(_mm512_sub_epi32(bits_of_s, one));
  const __m512 above = _mm512_castsi512_ps(_mm512_add_epi32(bits_of_s, one));
  const __mmask16 down = _mm512_cmp_ps_mask(_mm512_fnmadd_ps(s, below, a.v), _mm512_setzero_ps(), _CMP_LE_OQ);
  const __mmask16 up = _mm512_cmp_ps_mask(_mm512_fnmadd_ps(s, above, a.v), _mm512_setzero_ps(), _CMP_GT_OQ);
  return {_mm512_mask_mov_ps(_mm512_mask_mov_ps(s, down, below), up, above)};
}
CARILLON_INLINE F negate(F a) { return {_mm512_xor_ps(a.v, _mm512_set1_ps(-0.0f))}; }
CARILLON_INLINE F abs(F a) { return {_mm512_andnot_ps(_mm512_set1_ps(-0.0f), a.v)}; }
CARILLON_INLINE F fma(F a, F b, F c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
CARILLON_INLINE F fnma(F a, F b, F c) { return {_mm512_fnmadd_ps(a.v, b.v, c.v)}; }

CARILLON_INLINE M less(F a, F b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ)}; }
CARILLON_INLINE M less_equal(F a, F b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LE_OQ)}; }
CARILLON_INLINE M equal(F a, F b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_EQ_OQ)}; }
CARILLON_INLINE M unordered(F a, F b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_UNORD_Q)}; }
// The classes of vfpclassps: +0, −0, denormal.
CARILLON_INLINE M below_normal(F a) { return {_mm512_fpclass_ps_mask(a.v, 0x26)}; }
CARILLON_INLINE M less(I a, I b) { return {_mm512_cmplt_epi32_mask(a.v, b.v)}; }
CARILLON_INLINE M less(U a, U b) { return {_mm512_cmplt_epu32_mask(a.v, b.v)}; }
CARILLON_INLINE M equal(I a, I b) { return {_mm512_cmpeq_epi32_mask(a.v, b.v)}; }

CARILLON_INLINE M both(M a, M b) { return {static_cast<__mmask16>(a.v & b.v)}; }
CARILLON_INLINE M either(M a, M b) { return {static_cast<__mmask16>(a.v | b.v)}; }
CARILLON_INLINE M flip(M a) { return {static_cast<__mmask16>(~a.v)}; }
CARILLON_INLINE F select(M m, F a, F b) { return {_mm512_mask_blend_ps(m.v, b.v, a.v)}; }
CARILLON_INLINE I select(M m, I a, I b) { return {_mm512_mask_blend_epi32(m.v, b.v, a.v)}; }
CARILLON_INLINE U select(M m, U a, U b) { return {_mm512_mask_blend_epi32(m.v, b.v, a.v)}; }

CARILLON_INLINE U add(U a, U b) { return {_mm512_add_epi32(a.v, b.v)}; }
CARILLON_INLINE U sub(U a, U b) { return {_mm512_sub_epi32(a.v, b.v)}; }
CARILLON_INLINE I add(I a, I b) { return {_mm512_add_epi32(a.v, b.v)}; }
CARILLON_INLINE I sub(I a, I b) { return {_mm512_sub_epi32(a.v, b.v)}; }
CARILLON_INLINE U bit_and(U a, U b) { return {_mm512_and_si512(a.v, b.v)}; }
CARILLON_INLINE U bit_or(U a, U b) { return {_mm512_or_si512(a.v, b.v)}; }
CARILLON_INLINE U bit_xor(U a, U b) { return {_mm512_xor_si512(a.v, b.v)}; }
CARILLON_INLINE U bit_xor(U a, U b, U c) { return {_mm512_ternarylogic_epi32(a.v, b.v, c.v, 0x96)}; }
template <int k>
CARILLON_INLINE U shift_left(U a) {
  return {_mm512_maskz_slli_epi32(static_cast<__mmask16>(0xffff), a.v, k)};
}
template <int k>
CARILLON_INLINE U shift_right(U a) {
  return {_mm512_maskz_srli_epi32(static_cast<__mmask16>(0xffff), a.v, k)};
}
// vpmuludq multiplies the even lanes; the odd ones are shifted down and their products merged back.
CARILLON_INLINE void multiply_wide(U a, uint32_t m, U& high, U& low) {
  const __mmask8 all = 0xff;
  const __m512i factor = splat_u(m).v;
  const __m512i even = _mm512_maskz_mul_epu32(all, a.v, factor);
  const __m512i odd = _mm512_maskz_mul_epu32(all, _mm512_maskz_srli_epi64(all, a.v, 32), factor);
  high = {_mm512_mask_shuffle_epi32(odd, 0x5555, even, _MM_PERM_DDBB)};
  low = {_mm512_mask_shuffle_epi32(even, 0xaaaa, odd, _MM_PERM_CCAA)};
}

// Bytes are gathered by their place within each quarter, then the quarters' dwords.
struct B {
  __m512i v;
};
CARILLON_INLINE B bytes_of(const U* r) {
  const __m512i by_byte = _mm512_maskz_broadcast_i32x4(
      static_cast<__mmask16>(0xffff), _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
  const __m512i by_place = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  return {
      _mm512_maskz_permutexvar_epi32(static_cast<__mmask16>(0xffff), by_place, _mm512_shuffle_epi8(r[0].v, by_byte))};
}
CARILLON_INLINE uint64_t less_bits(B a, uint32_t limit) {
  return _mm512_cmplt_epu8_mask(a.v, _mm512_set1_epi8(static_cast<char>(limit)));
}
CARILLON_INLINE uint64_t equal_bits(B a, uint32_t value) {
  return _mm512_cmpeq_epi8_mask(a.v, _mm512_set1_epi8(static_cast<char>(value)));
}

CARILLON_INLINE I truncate(F a) { return {_mm512_maskz_cvttps_epi32(static_cast<__mmask16>(0xffff), a.v)}; }

CARILLON_INLINE float add_tree(const F* r) {
  const __m256 low = _mm512_maskz_extractf32x8_ps(0xff, r[0].v, 0);
  const __m256 high = _mm512_maskz_extractf32x8_ps(0xff, r[0].v, 1);
  const __m256 x8 = _mm256_add_ps(low, high);
  const __m128 x4 = _mm_add_ps(_mm256_castps256_ps128(x8), _mm256_extractf128_ps(x8, 1));
  const __m128 x2 = _mm_add_ps(x4, _mm_movehl_ps(x4, x4));
  return _mm_cvtss_f32(_mm_add_ss(x2, _mm_shuffle_ps(x2, x2, 1)));
}

// Two registers become one in each of four rounds, which add halves, quarters, pairs and neighbours.
CARILLON_INLINE F add_trees(const F* r) {
  const __mmask16 all = 0xffff;
  const __mmask8 all8 = 0xff;
  // halves[4h + i]: 8 lanes of row 8h + i, then of row 8h + i + 4
  __m512 halves[8];
#pragma GCC unroll 8
  for (size_t i = 0; i < 8; ++i) {
    const __m512 a = r[i + i / 4 * 4].v, b = r[i + i / 4 * 4 + 4].v;
    halves[i] = _mm512_add_ps(_mm512_maskz_shuffle_f32x4(all, a, b, 0x44), _mm512_maskz_shuffle_f32x4(all, a, b, 0xee));
  }
  // quarters[i]: 4 lanes each of rows i, i + 4, i + 8, i + 12
  __m512 quarters[4];
#pragma GCC unroll 4
  for (size_t i = 0; i < 4; ++i) {
    const __m512 a = halves[i], b = halves[4 + i];
    quarters[i] =
        _mm512_add_ps(_mm512_maskz_shuffle_f32x4(all, a, b, 0x88), _mm512_maskz_shuffle_f32x4(all, a, b, 0xdd));
  }
  __m512 pairs[2];
#pragma GCC unroll 2
  for (size_t i = 0; i < 2; ++i) {
    const __m512d a = _mm512_castps_pd(quarters[2 * i]), b = _mm512_castps_pd(quarters[2 * i + 1]);
    pairs[i] = _mm512_add_ps(_mm512_castpd_ps(_mm512_maskz_unpacklo_pd(all8, a, b)),
                             _mm512_castpd_ps(_mm512_maskz_unpackhi_pd(all8, a, b)));
  }
  return {_mm512_add_ps(_mm512_maskz_shuffle_ps(all, pairs[0], pairs[1], 0x88),
                        _mm512_maskz_shuffle_ps(all, pairs[0], pairs[1], 0xdd))};
}

// Four rounds: pairs of floats, pairs of doubles, then 128-bit quarters twice.
CARILLON_INLINE void transpose(F* r) {
  const __mmask16 all = 0xffff;
  const __mmask8 all8 = 0xff;
  __m512 t[16];
#pragma GCC unroll 16
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_maskz_unpacklo_ps(all, r[i].v, r[i + 1].v);
    t[i + 1] = _mm512_maskz_unpackhi_ps(all, r[i].v, r[i + 1].v);
  }
  // u[4q + j]: column 4·quarter + j of rows 4q … 4q + 3
  __m512 u[16];
#pragma GCC unroll 4
  for (int i = 0; i < 16; i += 4) {
    const __m512d a = _mm512_castps_pd(t[i]), b = _mm512_castps_pd(t[i + 1]);
    const __m512d c = _mm512_castps_pd(t[i + 2]), d = _mm512_castps_pd(t[i + 3]);
    u[i] = _mm512_castpd_ps(_mm512_maskz_unpacklo_pd(all8, a, c));
    u[i + 1] = _mm512_castpd_ps(_mm512_maskz_unpackhi_pd(all8, a, c));
    u[i + 2] = _mm512_castpd_ps(_mm512_maskz_unpacklo_pd(all8, b, d));
    u[i + 3] = _mm512_castpd_ps(_mm512_maskz_unpackhi_pd(all8, b, d));
  }
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    const __m512 a = _mm512_maskz_shuffle_f32x4(all, u[j], u[4 + j], 0x44);
    const __m512 b = _mm512_maskz_shuffle_f32x4(all, u[j], u[4 + j], 0xee);
    const __m512 c = _mm512_maskz_shuffle_f32x4(all, u[8 + j], u[12 + j], 0x44);
    const __m512 d = _mm512_maskz_shuffle_f32x4(all, u[8 + j], u[12 + j], 0xee);
    r[j].v = _mm512_maskz_shuffle_f32x4(all, a, c, 0x88);
    r[4 + j].v = _mm512_maskz_shuffle_f32x4(all, a, c, 0xdd);
    r[8 + j].v = _mm512_maskz_shuffle_f32x4(all, b, d, 0x88);
    r[12 + j].v = _mm512_maskz_shuffle_f32x4(all, b, d, 0xdd);
  }
}
