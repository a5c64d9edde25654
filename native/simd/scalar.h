// Vectors of one float in portable C++: the oracle that every other ISA must match. Contract: contract.md.

struct F {
  static constexpr size_t N = 1;
  float v;
};
struct I {
  int32_t v;
};
struct U {
  uint32_t v;
};
struct M {
  bool v;
};

CARILLON_INLINE F load(const float* p) { return {*p}; }
CARILLON_INLINE void store(float* p, F x) { *p = x.v; }
CARILLON_INLINE F load_part(const float* p, size_t count) { return {count != 0 ? *p : 0.0f}; }
CARILLON_INLINE void store_part(float* p, F x, size_t count) {
  if (count != 0) *p = x.v;
}
CARILLON_INLINE void prefetch(const float*, size_t) {}
CARILLON_INLINE U load_u(const uint32_t* p) { return {*p}; }
CARILLON_INLINE F load_u8(const uint8_t* p) { return {static_cast<float>(*p)}; }
CARILLON_INLINE F load_i8(const signed char* p) { return {static_cast<float>(*p)}; }
CARILLON_INLINE void store_u(uint32_t* p, U x) { *p = x.v; }

CARILLON_INLINE F splat(float x) { return {x}; }
CARILLON_INLINE F zero() { return {0.0f}; }
CARILLON_INLINE I splat_i(int32_t x) { return {x}; }
CARILLON_INLINE U splat_u(uint32_t x) { return {x}; }
CARILLON_INLINE U lane_numbers() { return {0}; }

CARILLON_INLINE U bits(F x) { return {__builtin_bit_cast(uint32_t, x.v)}; }
CARILLON_INLINE F from_bits(U x) { return {__builtin_bit_cast(float, x.v)}; }
CARILLON_INLINE I as_i(U x) { return {static_cast<int32_t>(x.v)}; }
CARILLON_INLINE U as_u(I x) { return {static_cast<uint32_t>(x.v)}; }

CARILLON_INLINE F add(F a, F b) { return {a.v + b.v}; }
CARILLON_INLINE F sub(F a, F b) { return {a.v - b.v}; }
CARILLON_INLINE F mul(F a, F b) { return {a.v * b.v}; }
CARILLON_INLINE F div(F a, F b) { return {a.v / b.v}; }
CARILLON_INLINE F sqrt(F a) { return {__builtin_sqrtf(a.v)}; }
CARILLON_INLINE F sqrt_beside(F a) { return sqrt(a); }
CARILLON_INLINE F negate(F a) { return from_bits({bits(a).v ^ 0x80000000u}); }
CARILLON_INLINE F abs(F a) { return from_bits({bits(a).v & 0x7fffffffu}); }

// a·b + c with one rounding and no libm. The product of two floats is exact in double. The sum is rounded to odd: where
// it is inexact (the error term of Knuth's TwoSum tells) and its last bit even, the neighbour on the side of the error
// has the last bit odd. 53 bits rounded to odd hold the 24 + 2 that make the second rounding right (Boldo and
// Melquiond 2008), denormal results included.
[[gnu::noinline]] float fused_multiply_add(float a, float b, float c) {
  const double product = static_cast<double>(a) * static_cast<double>(b);
  const double addend = static_cast<double>(c);
  double sum = product + addend;
  const double part = sum - product;
  const double error = (product - (sum - part)) + (addend - part);
  uint64_t word = __builtin_bit_cast(uint64_t, sum);
  const bool finite = (word & 0x7ff0000000000000u) != 0x7ff0000000000000u;
  if (finite && error != 0.0 && (word & 1) == 0) {
    word = (error > 0.0) == (sum > 0.0) ? word + 1 : word - 1;
    sum = __builtin_bit_cast(double, word);
  }
  return static_cast<float>(sum);
}

CARILLON_INLINE F fma(F a, F b, F c) { return {fused_multiply_add(a.v, b.v, c.v)}; }
CARILLON_INLINE F fnma(F a, F b, F c) { return {fused_multiply_add(-a.v, b.v, c.v)}; }

CARILLON_INLINE M less(F a, F b) { return {a.v < b.v}; }
CARILLON_INLINE M less_equal(F a, F b) { return {a.v <= b.v}; }
CARILLON_INLINE M equal(F a, F b) { return {a.v == b.v}; }
CARILLON_INLINE M unordered(F a, F b) { return {a.v != a.v || b.v != b.v}; }
CARILLON_INLINE M below_normal(F a) { return less(abs(a), splat(0x1p-126f)); }
CARILLON_INLINE M less(I a, I b) { return {a.v < b.v}; }
CARILLON_INLINE M less(U a, U b) { return {a.v < b.v}; }
CARILLON_INLINE M equal(I a, I b) { return {a.v == b.v}; }

CARILLON_INLINE M both(M a, M b) { return {a.v && b.v}; }
CARILLON_INLINE M either(M a, M b) { return {a.v || b.v}; }
CARILLON_INLINE M flip(M a) { return {!a.v}; }
CARILLON_INLINE F select(M m, F a, F b) { return {m.v ? a.v : b.v}; }
CARILLON_INLINE I select(M m, I a, I b) { return {m.v ? a.v : b.v}; }
CARILLON_INLINE U select(M m, U a, U b) { return {m.v ? a.v : b.v}; }
CARILLON_INLINE M first_lanes(size_t count) { return {count != 0}; }
CARILLON_INLINE uint32_t bits_of(M m) { return m.v ? 1u : 0u; }
CARILLON_INLINE M mask_of(uint32_t word) { return {(word & 1u) != 0}; }

CARILLON_INLINE U add(U a, U b) { return {a.v + b.v}; }
CARILLON_INLINE U sub(U a, U b) { return {a.v - b.v}; }
CARILLON_INLINE I add(I a, I b) { return as_i(add(as_u(a), as_u(b))); }
CARILLON_INLINE I sub(I a, I b) { return as_i(sub(as_u(a), as_u(b))); }
CARILLON_INLINE U bit_and(U a, U b) { return {a.v & b.v}; }
CARILLON_INLINE U bit_or(U a, U b) { return {a.v | b.v}; }
CARILLON_INLINE U bit_xor(U a, U b) { return {a.v ^ b.v}; }
CARILLON_INLINE U bit_xor(U a, U b, U c) { return {a.v ^ b.v ^ c.v}; }
template <int k>
CARILLON_INLINE U shift_left(U a) {
  return {a.v << k};
}
template <int k>
CARILLON_INLINE U shift_right(U a) {
  return {a.v >> k};
}
CARILLON_INLINE void multiply_wide(U a, uint32_t m, U& high, U& low) {
  const uint64_t product = static_cast<uint64_t>(a.v) * m;
  high = {static_cast<uint32_t>(product >> 32)};
  low = {static_cast<uint32_t>(product)};
}

struct B {
  uint8_t v[64];
};
CARILLON_INLINE B bytes_of(const U* r) {
  B bytes;
  for (size_t i = 0; i < 64; ++i) bytes.v[i] = static_cast<uint8_t>(r[i % 16].v >> 8 * (i / 16));
  return bytes;
}
CARILLON_INLINE uint64_t less_bits(B a, uint32_t limit) {
  uint64_t found = 0;
  for (size_t i = 0; i < 64; ++i) found |= uint64_t{a.v[i] < limit} << i;
  return found;
}
CARILLON_INLINE uint64_t equal_bits(B a, uint32_t value) {
  uint64_t found = 0;
  for (size_t i = 0; i < 64; ++i) found |= uint64_t{a.v[i] == value} << i;
  return found;
}

CARILLON_INLINE F to_float(I a) { return {static_cast<float>(a.v)}; }
CARILLON_INLINE I truncate(F a) { return {static_cast<int32_t>(a.v)}; }

CARILLON_INLINE float add_tree(const F* r) {
  float x[8];
  for (int i = 0; i < 8; ++i) x[i] = r[i].v + r[i + 8].v;
  for (int i = 0; i < 4; ++i) x[i] = x[i] + x[i + 4];
  return (x[0] + x[2]) + (x[1] + x[3]);
}
CARILLON_INLINE F add_trees(const F* r) { return {add_tree(r)}; }

CARILLON_INLINE void transpose(F*) {}
