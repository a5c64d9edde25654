// Philox4x32-10: four 32-bit words of a 128-bit counter under a 64-bit key, ten rounds (Salmon, Moraes, Dror and Shaw,
// "Parallel random numbers: as easy as 1, 2, 3", SC 2011). A draw is a function of (seed, purpose, step, site, index):
//   key     = (seed low 32 bits, seed high 32 bits)
//   counter = (index low 32 bits, step, site, purpose | index high bits << 8)

constexpr uint32_t kPhiloxMultiplier0 = 0xd2511f53u;
constexpr uint32_t kPhiloxMultiplier1 = 0xcd9e8d57u;
// Weyl sequences: the golden ratio and √3 − 1.
constexpr uint32_t kPhiloxWeyl0 = 0x9e3779b9u;
constexpr uint32_t kPhiloxWeyl1 = 0xbb67ae85u;
constexpr size_t kPhiloxRounds = 10;

CARILLON_INLINE uint32_t bit_xor(uint32_t a, uint32_t b, uint32_t c) { return a ^ b ^ c; }
CARILLON_INLINE void multiply_wide(uint32_t a, uint32_t m, uint32_t& high, uint32_t& low) {
  const uint64_t product = static_cast<uint64_t>(a) * m;
  high = static_cast<uint32_t>(product >> 32);
  low = static_cast<uint32_t>(product);
}
CARILLON_INLINE void broadcast(uint32_t x, uint32_t& word) { word = x; }
CARILLON_INLINE void broadcast(uint32_t x, U& word) { word = splat_u(x); }

// word: the counter, replaced by the draws. Word is uint32_t for one block or U for N.
template <class Word>
CARILLON_INLINE void philox(Word (&word)[4], uint64_t seed) {
  uint32_t key0 = static_cast<uint32_t>(seed);
  uint32_t key1 = static_cast<uint32_t>(seed >> 32);
  for (size_t round = 0; round < kPhiloxRounds; ++round) {
    Word high0, low0, high1, low1, k0, k1;
    multiply_wide(word[0], kPhiloxMultiplier0, high0, low0);
    multiply_wide(word[2], kPhiloxMultiplier1, high1, low1);
    broadcast(key0, k0);
    broadcast(key1, k1);
    word[0] = bit_xor(high1, word[1], k0);
    word[1] = low1;
    word[2] = bit_xor(high0, word[3], k1);
    word[3] = low0;
    key0 += kPhiloxWeyl0;
    key1 += kPhiloxWeyl1;
  }
}

CARILLON_INLINE uint32_t counter_purpose(Purpose purpose, uint64_t index) {
  return static_cast<uint32_t>(purpose) | static_cast<uint32_t>(index >> 32) << 8;
}

// Blocks that differ in the low 32 bits of the index alone. What the other words make of the first two rounds is the
// same for all of them and is made once, as are the round keys.
struct PhiloxStream {
  uint32_t key0[kPhiloxRounds], key1[kPhiloxRounds];
  uint32_t first2;   // round 1: word 2 = high(index·m₀) ^ this
  uint32_t second0;  // round 2: word 0 = high(word 2·m₁) ^ this
  uint32_t second2;  // round 2: word 2 = low(index·m₀) ^ this
  uint32_t second3;  // round 2: word 3

  CARILLON_INLINE PhiloxStream(uint64_t seed, uint32_t step, uint32_t site, uint32_t purpose) {
    for (size_t round = 0; round < kPhiloxRounds; ++round) {
      key0[round] = static_cast<uint32_t>(seed) + static_cast<uint32_t>(round) * kPhiloxWeyl0;
      key1[round] = static_cast<uint32_t>(seed >> 32) + static_cast<uint32_t>(round) * kPhiloxWeyl1;
    }
    uint32_t high, low, other_high;
    multiply_wide(site, kPhiloxMultiplier1, high, low);
    multiply_wide(high ^ step ^ key0[0], kPhiloxMultiplier0, other_high, second3);
    first2 = purpose ^ key1[0];
    second0 = low ^ key0[1];
    second2 = other_high ^ key1[1];
  }
};

// word[b]: the draws of the N blocks with the indices index[b]. Several registers at once hide the latency of the
// multiplications.
template <size_t registers>
CARILLON_INLINE void philox(const PhiloxStream& stream, const U (&index)[registers], U (&word)[registers][4]) {
  CARILLON_UNROLL
  for (size_t b = 0; b < registers; ++b) {
    U high, low;
    multiply_wide(index[b], kPhiloxMultiplier0, high, low);
    multiply_wide(bit_xor(high, splat_u(stream.first2)), kPhiloxMultiplier1, high, word[b][1]);
    word[b][0] = bit_xor(high, splat_u(stream.second0));
    word[b][2] = bit_xor(low, splat_u(stream.second2));
    word[b][3] = splat_u(stream.second3);
  }
  CARILLON_UNROLL
  for (size_t round = 2; round < kPhiloxRounds; ++round) {
    const U key0 = splat_u(stream.key0[round]);
    const U key1 = splat_u(stream.key1[round]);
    CARILLON_UNROLL
    for (size_t b = 0; b < registers; ++b) {
      U high0, low0, high1, low1;
      multiply_wide(word[b][0], kPhiloxMultiplier0, high0, low0);
      multiply_wide(word[b][2], kPhiloxMultiplier1, high1, low1);
      word[b][0] = bit_xor(high1, word[b][1], key0);
      word[b][1] = low1;
      word[b][2] = bit_xor(high0, word[b][3], key1);
      word[b][3] = low0;
    }
  }
}
