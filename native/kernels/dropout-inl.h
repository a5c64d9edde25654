// Dropout: y[i] = keep(first_index + i) ? fma(x[i], scale, shift) : dropped, keep decided by Philox, one byte an
// element. Where shift = 0 it is x[i]·scale, so that −0 stays −0. Alpha dropout (for SELU) is what shifts and does not
// drop to 0.
//
// The definition of the mask. Element e lies in superblock s = e / 256 at place q = e mod 256. Its 16 blocks have the
// Philox indices 16·s + lane, and q = (4·w + b)·16 + lane: byte b (from the low end) of output word w of block `lane`.
// So for given (w, b) the 16 lanes are 16 elements in a row and nothing is transposed.
// An element is kept where u < threshold for a 32-bit uniform u whose top byte is that byte: with hi = threshold / 2^24
// byte < hi keeps, byte > hi drops, and byte = hi (one element in 256) draws the low 24 bits, the top of word 0 of the
// block with index e and purpose dropout_tie. The probability is exactly threshold / 2^32.

constexpr size_t kSuperblock = 256;

CARILLON_INLINE bool dropout_tie_kept(uint64_t element, const DropoutArguments& arguments) {
  uint32_t word[4] = {static_cast<uint32_t>(element), arguments.step, arguments.site,
                      counter_purpose(Purpose::dropout_tie, element)};
  philox(word, arguments.seed);
  return word[0] >> 8 < (static_cast<uint32_t>(arguments.threshold) & 0xffffffu);
}

// x, y: [256], the elements of superblock `index`.
void dropout_superblock(const float* x, float* y, uint64_t index, const DropoutArguments& arguments) {
  const uint64_t block = index * kLanes;
  const I high = splat_i(static_cast<int32_t>(arguments.threshold >> 24));
  const bool ties = (arguments.threshold & 0xffffffu) != 0;
  const F scale = splat(arguments.scale);
  const F shift = splat(arguments.shift);
  const F dropped = splat(arguments.dropped);
  const bool shifted = arguments.shift != 0.0f;
  for (size_t lane = 0; lane < kLanes; lane += F::N) {
    U words[4] = {add(lane_numbers(), splat_u(static_cast<uint32_t>(block + lane))), splat_u(arguments.step),
                  splat_u(arguments.site), splat_u(counter_purpose(Purpose::dropout, block))};
    philox(words, arguments.seed);
    for (size_t w = 0; w < 4; ++w) {
      for (size_t b = 0; b < 4; ++b) {
        const size_t place = (4 * w + b) * kLanes + lane;
        const I byte = as_i(bit_and(words[w], splat_u(0xffu)));
        words[w] = shift_right<8>(words[w]);
        M keep = less(byte, high);
        if (ties) {
          uint32_t open = bits_of(equal(byte, high));
          uint32_t tied = 0;
          for (; open != 0; open &= open - 1) {
            const uint32_t l = static_cast<uint32_t>(__builtin_ctz(open));
            if (dropout_tie_kept(index * kSuperblock + place + l, arguments)) tied |= 1u << l;
          }
          keep = either(keep, mask_of(tied));
        }
        const F value = load(x + place);
        const F kept = shifted ? fma(value, scale, shift) : mul(value, scale);
        store(y + place, select(keep, kept, dropped));
      }
    }
  }
}

// Superblocks that the range covers in part go through a buffer.
void dropout_f32(const float* x, float* y, size_t count, uint64_t first_index, const DropoutArguments& arguments) {
  size_t i = 0;
  while (i < count) {
    const uint64_t element = first_index + i;
    const size_t place = static_cast<size_t>(element % kSuperblock);
    const size_t length = smaller_of(kSuperblock - place, count - i);
    if (length == kSuperblock) {
      dropout_superblock(x + i, y + i, element / kSuperblock, arguments);
    } else {
      float buffer[kSuperblock] = {};
      __builtin_memcpy(buffer + place, x + i, length * sizeof(float));
      dropout_superblock(buffer, buffer, element / kSuperblock, arguments);
      __builtin_memcpy(y + i, buffer + place, length * sizeof(float));
    }
    i += length;
  }
}
