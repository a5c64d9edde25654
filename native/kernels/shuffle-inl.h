// What the order of an epoch is drawn from: counters (bound, epoch, attempt, shuffle), of whose first attempts word 0
// is made here, many at once.

// words[i] = word 0 of the block of (first + i, epoch, 0, shuffle).
void shuffle_words(uint32_t* words, size_t count, uint32_t first, uint64_t seed, uint32_t epoch) {
  constexpr size_t registers = 4;
  const PhiloxStream stream(seed, epoch, 0, counter_purpose(Purpose::shuffle, 0));
  for (size_t i = 0; i < count; i += registers * F::N) {
    U index[registers], word[registers][4];
    for (size_t b = 0; b < registers; ++b) {
      index[b] = add(splat_u(first + static_cast<uint32_t>(i + b * F::N)), lane_numbers());
    }
    philox(stream, index, word);
    float lanes[registers * F::N];
    for (size_t b = 0; b < registers; ++b) store(lanes + b * F::N, from_bits(word[b][0]));
    __builtin_memcpy(words + i, lanes, smaller_of(registers * F::N, count - i) * sizeof(uint32_t));
  }
}
