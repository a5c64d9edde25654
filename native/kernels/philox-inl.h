// Philox4x32-10: four 32-bit words of a 128-bit counter under a 64-bit key, ten rounds (Salmon, Moraes, Dror and Shaw,
// "Parallel random numbers: as easy as 1, 2, 3", SC 2011). A draw is a function of (seed, purpose, step, site, index):
//   key     = (seed low 32 bits, seed high 32 bits)
//   counter = (index low 32 bits, step, site, purpose | index high bits << 8)

CARILLON_INLINE uint32_t add(uint32_t a, uint32_t b) { return a + b; }
CARILLON_INLINE uint32_t bit_xor(uint32_t a, uint32_t b) { return a ^ b; }
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
  for (int round = 0; round < 10; ++round) {
    Word high0, low0, high1, low1, k0, k1;
    multiply_wide(word[0], 0xd2511f53u, high0, low0);
    multiply_wide(word[2], 0xcd9e8d57u, high1, low1);
    broadcast(key0, k0);
    broadcast(key1, k1);
    word[0] = bit_xor(bit_xor(high1, word[1]), k0);
    word[1] = low1;
    word[2] = bit_xor(bit_xor(high0, word[3]), k1);
    word[3] = low0;
    // Weyl sequences: the golden ratio and √3 − 1.
    key0 += 0x9e3779b9u;
    key1 += 0xbb67ae85u;
  }
}

CARILLON_INLINE uint32_t counter_purpose(Purpose purpose, uint64_t index) {
  return static_cast<uint32_t>(purpose) | static_cast<uint32_t>(index >> 32) << 8;
}
