// Vectors of 4 floats: NEON of AArch64. Contract: contract.md. A mask is a vector of all-ones or all-zeros lanes.

struct F {
  static constexpr size_t N = 4;
  float32x4_t v;
};
struct I {
  int32x4_t v;
};
struct U {
  uint32x4_t v;
};
struct M {
  uint32x4_t v;
};

CARILLON_INLINE F splat(float x) { return {vdupq_n_f32(x)}; }
CARILLON_INLINE F zero() { return {vdupq_n_f32(0.0f)}; }
CARILLON_INLINE I splat_i(int32_t x) { return {vdupq_n_s32(x)}; }
CARILLON_INLINE U splat_u(uint32_t x) { return {vdupq_n_u32(x)}; }
CARILLON_INLINE U lane_numbers() {
  const uint32_t numbers[4] = {0, 1, 2, 3};
  return {vld1q_u32(numbers)};
}

CARILLON_INLINE F load(const float* p) { return {vld1q_f32(p)}; }
CARILLON_INLINE void store(float* p, F x) { vst1q_f32(p, x.v); }
CARILLON_INLINE F load_part(const float* p, size_t count) {
  float lanes[4] = {0.0f, 0.0f, 0.0f, 0.0f};
  for (size_t i = 0; i < count; ++i) lanes[i] = p[i];
  return {vld1q_f32(lanes)};
}
CARILLON_INLINE void store_part(float* p, F x, size_t count) {
  float lanes[4];
  vst1q_f32(lanes, x.v);
  for (size_t i = 0; i < count; ++i) p[i] = lanes[i];
}
// The address is an integer: it may lie behind the array's end.
CARILLON_INLINE void prefetch(const float* p, size_t ahead) {
  __builtin_prefetch(__builtin_bit_cast(const void*, reinterpret_cast<uintptr_t>(p) + ahead * sizeof(float)));
}
CARILLON_INLINE U load_u(const uint32_t* p) { return {vld1q_u32(p)}; }
CARILLON_INLINE F load_u8(const uint8_t* p) {
  uint32_t bytes;
  __builtin_memcpy(&bytes, p, 4);
  const uint8x8_t narrow = vreinterpret_u8_u32(vdup_n_u32(bytes));
  return {vcvtq_f32_u32(vmovl_u16(vget_low_u16(vmovl_u8(narrow))))};
}
CARILLON_INLINE F load_i8(const signed char* p) {
  uint32_t bytes;
  __builtin_memcpy(&bytes, p, 4);
  const int8x8_t narrow = vreinterpret_s8_u32(vdup_n_u32(bytes));
  return {vcvtq_f32_s32(vmovl_s16(vget_low_s16(vmovl_s8(narrow))))};
}
CARILLON_INLINE void store_u(uint32_t* p, U x) { vst1q_u32(p, x.v); }

CARILLON_INLINE U bits(F x) { return {vreinterpretq_u32_f32(x.v)}; }
CARILLON_INLINE F from_bits(U x) { return {vreinterpretq_f32_u32(x.v)}; }
CARILLON_INLINE I as_i(U x) { return {vreinterpretq_s32_u32(x.v)}; }
CARILLON_INLINE U as_u(I x) { return {vreinterpretq_u32_s32(x.v)}; }

CARILLON_INLINE F add(F a, F b) { return {vaddq_f32(a.v, b.v)}; }
CARILLON_INLINE F sub(F a, F b) { return {vsubq_f32(a.v, b.v)}; }
CARILLON_INLINE F mul(F a, F b) { return {vmulq_f32(a.v, b.v)}; }
CARILLON_INLINE F div(F a, F b) { return {vdivq_f32(a.v, b.v)}; }
CARILLON_INLINE F sqrt(F a) { return {vsqrtq_f32(a.v)}; }
CARILLON_INLINE F sqrt_beside(F a) { return sqrt(a); }
CARILLON_INLINE F negate(F a) { return {vnegq_f32(a.v)}; }
CARILLON_INLINE F abs(F a) { return {vabsq_f32(a.v)}; }
CARILLON_INLINE F fma(F a, F b, F c) { return {vfmaq_f32(c.v, a.v, b.v)}; }
CARILLON_INLINE F fnma(F a, F b, F c) { return {vfmsq_f32(c.v, a.v, b.v)}; }

CARILLON_INLINE M both(M a, M b) { return {vandq_u32(a.v, b.v)}; }
CARILLON_INLINE M either(M a, M b) { return {vorrq_u32(a.v, b.v)}; }
CARILLON_INLINE M flip(M a) { return {vmvnq_u32(a.v)}; }
CARILLON_INLINE M less(F a, F b) { return {vcltq_f32(a.v, b.v)}; }
CARILLON_INLINE M less_equal(F a, F b) { return {vcleq_f32(a.v, b.v)}; }
CARILLON_INLINE M equal(F a, F b) { return {vceqq_f32(a.v, b.v)}; }
CARILLON_INLINE M unordered(F a, F b) { return flip(both(equal(a, a), equal(b, b))); }
CARILLON_INLINE M below_normal(F a) { return less(abs(a), splat(0x1p-126f)); }
CARILLON_INLINE M less(I a, I b) { return {vcltq_s32(a.v, b.v)}; }
CARILLON_INLINE M less(U a, U b) { return {vcltq_u32(a.v, b.v)}; }
CARILLON_INLINE M equal(I a, I b) { return {vceqq_s32(a.v, b.v)}; }
CARILLON_INLINE F select(M m, F a, F b) { return {vbslq_f32(m.v, a.v, b.v)}; }
CARILLON_INLINE I select(M m, I a, I b) { return {vbslq_s32(m.v, a.v, b.v)}; }
CARILLON_INLINE U select(M m, U a, U b) { return {vbslq_u32(m.v, a.v, b.v)}; }
CARILLON_INLINE M first_lanes(size_t count) {
  return {vcltq_u32(lane_numbers().v, vdupq_n_u32(static_cast<uint32_t>(count)))};
}
CARILLON_INLINE uint32x4_t lane_bits() {
  const uint32_t one_each[4] = {1, 2, 4, 8};
  return vld1q_u32(one_each);
}
CARILLON_INLINE uint32_t bits_of(M m) { return vaddvq_u32(vandq_u32(m.v, lane_bits())); }
CARILLON_INLINE M mask_of(uint32_t word) { return {vtstq_u32(vdupq_n_u32(word), lane_bits())}; }

CARILLON_INLINE U add(U a, U b) { return {vaddq_u32(a.v, b.v)}; }
CARILLON_INLINE U sub(U a, U b) { return {vsubq_u32(a.v, b.v)}; }
CARILLON_INLINE I add(I a, I b) { return {vaddq_s32(a.v, b.v)}; }
CARILLON_INLINE I sub(I a, I b) { return {vsubq_s32(a.v, b.v)}; }
CARILLON_INLINE U bit_and(U a, U b) { return {vandq_u32(a.v, b.v)}; }
CARILLON_INLINE U bit_or(U a, U b) { return {vorrq_u32(a.v, b.v)}; }
CARILLON_INLINE U bit_xor(U a, U b) { return {veorq_u32(a.v, b.v)}; }
CARILLON_INLINE U bit_xor(U a, U b, U c) { return bit_xor(bit_xor(a, b), c); }
// Variable shifts: the immediate forms refuse a count of 0.
template <int k>
CARILLON_INLINE U shift_left(U a) {
  return {vshlq_u32(a.v, vdupq_n_s32(k))};
}
template <int k>
CARILLON_INLINE U shift_right(U a) {
  return {vshlq_u32(a.v, vdupq_n_s32(-k))};
}
CARILLON_INLINE void multiply_wide(U a, uint32_t m, U& high, U& low) {
  const uint32x2_t factor = vdup_n_u32(m);
  const uint32x4_t first = vreinterpretq_u32_u64(vmull_u32(vget_low_u32(a.v), factor));
  const uint32x4_t second = vreinterpretq_u32_u64(vmull_u32(vget_high_u32(a.v), factor));
  low = {vuzp1q_u32(first, second)};
  high = {vuzp2q_u32(first, second)};
}

struct B {
  uint8x16_t v[4];  // byte b of all lanes
};
CARILLON_INLINE B bytes_of(const U* r) {
  const uint8_t numbers[16] = {0, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48, 52, 56, 60};
  const uint8x16x4_t table = {{vreinterpretq_u8_u32(r[0].v), vreinterpretq_u8_u32(r[1].v), vreinterpretq_u8_u32(r[2].v),
                               vreinterpretq_u8_u32(r[3].v)}};
  const uint8x16_t place = vld1q_u8(numbers);
  return {{vqtbl4q_u8(table, place), vqtbl4q_u8(table, vaddq_u8(place, vdupq_n_u8(1))),
           vqtbl4q_u8(table, vaddq_u8(place, vdupq_n_u8(2))), vqtbl4q_u8(table, vaddq_u8(place, vdupq_n_u8(3)))}};
}
// One bit of every byte, then three sums of neighbours.
CARILLON_INLINE uint64_t join_bits(uint8x16_t a, uint8x16_t b, uint8x16_t c, uint8x16_t d) {
  const uint8_t one_each[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
  const uint8x16_t bit = vld1q_u8(one_each);
  const uint8x16_t low = vpaddq_u8(vandq_u8(a, bit), vandq_u8(b, bit));
  const uint8x16_t high = vpaddq_u8(vandq_u8(c, bit), vandq_u8(d, bit));
  const uint8x16_t pairs = vpaddq_u8(low, high);
  return vgetq_lane_u64(vreinterpretq_u64_u8(vpaddq_u8(pairs, pairs)), 0);
}
CARILLON_INLINE uint64_t less_bits(B a, uint32_t limit) {
  const uint8x16_t x = vdupq_n_u8(static_cast<uint8_t>(limit));
  return join_bits(vcltq_u8(a.v[0], x), vcltq_u8(a.v[1], x), vcltq_u8(a.v[2], x), vcltq_u8(a.v[3], x));
}
CARILLON_INLINE uint64_t equal_bits(B a, uint32_t value) {
  const uint8x16_t x = vdupq_n_u8(static_cast<uint8_t>(value));
  return join_bits(vceqq_u8(a.v[0], x), vceqq_u8(a.v[1], x), vceqq_u8(a.v[2], x), vceqq_u8(a.v[3], x));
}

CARILLON_INLINE F to_float(I a) { return {vcvtq_f32_s32(a.v)}; }
CARILLON_INLINE I truncate(F a) { return {vcvtq_s32_f32(a.v)}; }

CARILLON_INLINE float add_tree(const F* r) {
  const float32x4_t x4 = vaddq_f32(vaddq_f32(r[0].v, r[2].v), vaddq_f32(r[1].v, r[3].v));
  const float32x2_t x2 = vadd_f32(vget_low_f32(x4), vget_high_f32(x4));
  return vget_lane_f32(x2, 0) + vget_lane_f32(x2, 1);
}

CARILLON_INLINE F add_trees(const F* r) {
  float32x4_t x[4];
#pragma GCC unroll 4
  for (size_t i = 0; i < 4; ++i) {
    const F* row = r + 4 * i;
    x[i] = vaddq_f32(vaddq_f32(row[0].v, row[2].v), vaddq_f32(row[1].v, row[3].v));
  }
  float32x4_t pairs[2];
#pragma GCC unroll 2
  for (size_t i = 0; i < 2; ++i) {
    const float64x2_t a = vreinterpretq_f64_f32(x[2 * i]), b = vreinterpretq_f64_f32(x[2 * i + 1]);
    pairs[i] = vaddq_f32(vreinterpretq_f32_f64(vzip1q_f64(a, b)), vreinterpretq_f32_f64(vzip2q_f64(a, b)));
  }
  return {vpaddq_f32(pairs[0], pairs[1])};
}

CARILLON_INLINE void transpose(F* r) {
  const float32x4_t a = vtrn1q_f32(r[0].v, r[1].v), b = vtrn2q_f32(r[0].v, r[1].v);
  const float32x4_t c = vtrn1q_f32(r[2].v, r[3].v), d = vtrn2q_f32(r[2].v, r[3].v);
  r[0].v = vcombine_f32(vget_low_f32(a), vget_low_f32(c));
  r[1].v = vcombine_f32(vget_low_f32(b), vget_low_f32(d));
  r[2].v = vcombine_f32(vget_high_f32(a), vget_high_f32(c));
  r[3].v = vcombine_f32(vget_high_f32(b), vget_high_f32(d));
}
