// Dropout: y[i] = keep(first_index + i) ? fma(x[i], scale, shift) : dropped, keep decided by Philox, one byte an
// element. Where shift = 0 it is x[i]·scale, so that −0 stays −0. Alpha dropout (for SELU) is what shifts and does not
// drop to 0.
//
// The definition of the mask. Element e lies in superblock s = e / 256 at place q = e mod 256. Its 16 blocks have the
// Philox indices 16·s + lane, and q = (4·w + b)·16 + lane: byte b (from the low end) of output word w of block `lane`.
// So for given (w, b) the 16 lanes are 16 elements in a row.
// An element is kept where u < threshold for a 32-bit uniform u whose top byte is that byte: with hi = threshold / 2^24
// byte < hi keeps, byte > hi drops, and byte = hi (one element in 256) draws the low 24 bits, the top of word 0 of the
// block with index e and purpose dropout_tie. The probability is exactly threshold / 2^32.
//
// Ties wait until several registers of them are there: drawn one at a time they would cost more than all the rest.

constexpr size_t kSuperblock = 256;
constexpr size_t kBitWord = 16;  // elements of a word of bits

// Superblocks drawn at once: enough registers to hide the latency of Philox, as many as there are.
constexpr size_t kDropoutAtOnce = kRegisters == 1 ? 4 : 1;

// Floats between what is drawn for and what is fetched.
constexpr size_t kDropoutAhead = 1024;

// Superblocks of a run at most: 32 bits count its elements.
constexpr uint64_t kDropoutRun = 4096;

// Word w of the 16 blocks of a superblock.
struct DropoutLanes {
  U word[kRegisters];
};

// lanes[s][w] of the superblocks s, the first of whose blocks has the index `block`.
template <size_t superblocks>
CARILLON_INLINE void dropout_draw(const PhiloxStream& stream, uint32_t block, DropoutLanes (&lanes)[superblocks][4]) {
  constexpr size_t registers = superblocks * kRegisters;
  U index[registers], word[registers][4];
  CARILLON_UNROLL
  for (size_t r = 0; r < registers; ++r) {
    index[r] = add(lane_numbers(), splat_u(block + static_cast<uint32_t>(r * F::N)));
  }
  philox(stream, index, word);
  CARILLON_UNROLL
  for (size_t s = 0; s < superblocks; ++s) {
    CARILLON_UNROLL
    for (size_t w = 0; w < 4; ++w) {
      CARILLON_UNROLL
      for (size_t r = 0; r < kRegisters; ++r) lanes[s][w].word[r] = word[s * kRegisters + r][w];
    }
  }
}

// Elements of a run whose byte ties, until they are resolved.
struct DropoutTies {
  static constexpr size_t kFull = 64;
  static constexpr size_t kMost = kFull + kDropoutAtOnce * kSuperblock + F::N;
  uint32_t place[kMost];
  size_t count = 0;

  // Bit i of `open`: element begin + i ties. The first is held without a branch, as one in four words has one; a second
  // is rare.
  template <class Target>
  CARILLON_INLINE void add(uint64_t open, size_t begin, Target& target) {
    hold(open | uint64_t{1} << 63, begin, target);
    count += open != 0 ? 1 : 0;
    for (open &= open - 1; open != 0; open &= open - 1) {
      hold(open, begin, target);
      ++count;
    }
  }

 private:
  template <class Target>
  CARILLON_INLINE void hold(uint64_t open, size_t begin, Target& target) {
    const size_t element = begin + static_cast<size_t>(__builtin_ctzll(open));
    place[count] = static_cast<uint32_t>(element);
    target.hold(count, element);
  }
};

// Draws the low 24 bits of the ties, keeps those that they say and empties the list. first: index of the run's first
// element.
template <class Target>
CARILLON_INLINE void dropout_resolve(DropoutTies& ties, Target& target, uint64_t first,
                                     const DropoutArguments& arguments) {
  const uint32_t first_low = static_cast<uint32_t>(first);
  const U purpose = splat_u(counter_purpose(Purpose::dropout_tie, first));
  const U carried_purpose = splat_u(counter_purpose(Purpose::dropout_tie, first + (uint64_t{1} << 32)));
  const I threshold = splat_i(static_cast<int32_t>(arguments.threshold & 0xffffffu));
  for (size_t l = 0; l < F::N; ++l) {  // lanes behind the last tie
    ties.place[ties.count + l] = 0;
    target.hold(ties.count + l, 0);
  }
  for (size_t i = 0; i < ties.count; i += F::N) {
    const U low = add(load_u(ties.place + i), splat_u(first_low));
    // Unsigned low < first_low, where the sum has carried.
    const M carried = less(as_i(bit_xor(low, splat_u(0x80000000u))), as_i(splat_u(first_low ^ 0x80000000u)));
    U word[4] = {low, splat_u(arguments.step), splat_u(arguments.site), select(carried, carried_purpose, purpose)};
    philox(word, arguments.seed);
    const M kept = less(as_i(shift_right<8>(word[0])), threshold);
    target.keep(ties.place + i, i, smaller_of(F::N, ties.count - i), bits_of(kept));
  }
  ties.count = 0;
}

// A target takes put(lanes, limit, place), the draws of 64 elements in a row from `place` on, of which those are kept
// whose byte is below `limit`, ties not among them; put_all(place) where all 64 are kept; hold(slot, place), the place
// of a tie; and keep(places, slot, count, kept), ties held in the slots from `slot` on, of which bit l of `kept` says
// whether the l-th is kept. Places count from the run's first element.

// Superblocks s, s + 1, … of a run.
template <size_t superblocks, bool tied, class Target>
CARILLON_INLINE void dropout_group(const PhiloxStream& stream, uint64_t superblock, size_t s, uint32_t limit,
                                   Target& target, DropoutTies& ties) {
  DropoutLanes lanes[superblocks][4];
  dropout_draw(stream, static_cast<uint32_t>((superblock + s) * kLanes), lanes);
  CARILLON_UNROLL
  for (size_t b = 0; b < superblocks; ++b) {
    CARILLON_UNROLL
    for (size_t w = 0; w < 4; ++w) {
      const size_t place = (s + b) * kSuperblock + w * 4 * kBitWord;
      if constexpr (tied) ties.add(equal_bits(bytes_of(lanes[b][w].word), limit), place, target);
      target.put(lanes[b][w], limit, place);
    }
  }
}

// The superblocks [superblock, superblock + count), at most kDropoutRun.
template <bool tied, class Target>
CARILLON_INLINE void dropout_run(Target& target, uint64_t superblock, size_t count, const DropoutArguments& arguments) {
  const uint32_t limit = static_cast<uint32_t>(arguments.threshold >> 24);
  DropoutTies ties;
  for (size_t s = 0; s < count;) {
    // All blocks of a stream have the same high half of the index.
    const uint64_t begin = (superblock + s) * kLanes;
    const uint64_t left = ((uint64_t{1} << 32) - static_cast<uint32_t>(begin)) / kLanes;
    const size_t end = left < count - s ? s + static_cast<size_t>(left) : count;
    const PhiloxStream stream(arguments.seed, arguments.step, arguments.site, counter_purpose(Purpose::dropout, begin));
    while (s < end) {
      bool full = false;
      for (; !full && s + kDropoutAtOnce <= end; s += kDropoutAtOnce) {
        dropout_group<kDropoutAtOnce, tied>(stream, superblock, s, limit, target, ties);
        full = tied && ties.count >= DropoutTies::kFull;
      }
      if constexpr (kDropoutAtOnce > 1) {
        for (; !full && s < end; ++s) dropout_group<1, tied>(stream, superblock, s, limit, target, ties);
      }
      // One place for both, as it is inlined.
      if (tied && (full || s == count)) dropout_resolve(ties, target, superblock * kSuperblock, arguments);
    }
  }
}

template <class Target>
CARILLON_INLINE void dropout_superblocks(Target& target, uint64_t superblock, size_t count,
                                         const DropoutArguments& arguments) {
  if (arguments.threshold >> 32 != 0) {
    for (size_t place = 0; place < count * kSuperblock; place += 4 * kBitWord) target.put_all(place);
  } else if ((arguments.threshold & 0xffffffu) != 0) {
    dropout_run<true>(target, superblock, count, arguments);
  } else {
    dropout_run<false>(target, superblock, count, arguments);
  }
}

// What of a range is drawn next: whole superblocks at once, or the part of one that the range covers, which goes
// through a buffer.
struct DropoutStretch {
  bool whole;
  uint64_t superblock;
  size_t superblocks;
  size_t place;   // of the first element in its superblock
  size_t length;  // elements of the range

  CARILLON_INLINE DropoutStretch(size_t left, uint64_t element)
      : superblock(element / kSuperblock), place(static_cast<size_t>(element % kSuperblock)) {
    superblocks = place == 0 ? smaller_of(left / kSuperblock, kDropoutRun) : 0;
    whole = superblocks != 0;
    length = whole ? superblocks * kSuperblock : smaller_of(kSuperblock - place, left);
    if (!whole) superblocks = 1;
  }
};

struct DropoutBits {
  uint16_t* bits;
  CARILLON_INLINE void put(const DropoutLanes& lanes, uint32_t limit, size_t place) {
    put_word(less_bits(bytes_of(lanes.word), limit), place);
  }
  CARILLON_INLINE void put_all(size_t place) { put_word(~uint64_t{0}, place); }
  CARILLON_INLINE void hold(size_t, size_t) {}
  CARILLON_INLINE void keep(const uint32_t* place, size_t, size_t count, uint32_t kept) {
    for (size_t l = 0; l < count; ++l) {
      uint16_t& word = bits[place[l] / kBitWord];
      word = static_cast<uint16_t>(word | (kept >> l & 1u) << place[l] % kBitWord);
    }
  }

 private:
  CARILLON_INLINE void put_word(uint64_t word, size_t place) {
    __builtin_memcpy(bits + place / kBitWord, &word, sizeof word);  // every target is little-endian
  }
};

// bits: the keep bits of elements [first_index, first_index + count), first_index a multiple of 16; bit i % 16 of word
// i / 16 is element i's. Bits behind the last element are 0.
void dropout_mask_bits(uint16_t* bits, size_t count, uint64_t first_index, const DropoutArguments& arguments) {
  for (size_t i = 0; i < count;) {
    const DropoutStretch stretch(count - i, first_index + i);
    uint16_t buffer[kSuperblock / kBitWord];
    DropoutBits target{stretch.whole ? bits + i / kBitWord : buffer};
    dropout_superblocks(target, stretch.superblock, stretch.superblocks, arguments);
    if (!stretch.whole) {
      const size_t words = (stretch.length + kBitWord - 1) / kBitWord;
      __builtin_memcpy(bits + i / kBitWord, buffer + stretch.place / kBitWord, words * sizeof(uint16_t));
    }
    i += stretch.length;
  }
  if (count % kBitWord != 0) bits[count / kBitWord] &= static_cast<uint16_t>((1u << count % kBitWord) - 1u);
}

// x, y: the elements of the run. A tie keeps its x, since y may be x.
struct DropoutValues {
  const float* x;
  float* y;
  F scale, shift, dropped;
  float held[DropoutTies::kMost];

  CARILLON_INLINE DropoutValues(const float* from, float* to, const DropoutArguments& a)
      : x(from),
        y(to),
        scale(splat(a.scale)),
        shift(splat(a.shift != 0.0f ? a.shift : -0.0f)),
        dropped(splat(a.dropped)) {}
  // With −0 added it is x·scale to the bit, −0 too.
  CARILLON_INLINE F scaled(F value) const { return fma(value, scale, shift); }
  // Byte b, shifted to the top, decides with what lies below it: a word is below limit·2^24 where its top byte is below
  // the limit. So the lanes make the masks of floats themselves, and nothing goes through bits.
  CARILLON_INLINE void put(const DropoutLanes& lanes, uint32_t limit, size_t place) {
    // Between two words of x lies the drawing of the next: the processor's own prefetch loses the thread.
    CARILLON_UNROLL
    for (size_t i = 0; i < 4 * kBitWord; i += kLine) prefetch(x, place + i + kDropoutAhead);
    const U bound = splat_u(limit << 24);
    CARILLON_UNROLL
    for (size_t r = 0; r < kRegisters; ++r) {
      const U word = lanes.word[r];
      const size_t i = place + r * F::N;
      put_lanes(less(shift_left<24>(word), bound), i);
      put_lanes(less(shift_left<16>(word), bound), i + kBitWord);
      put_lanes(less(shift_left<8>(word), bound), i + 2 * kBitWord);
      put_lanes(less(word, bound), i + 3 * kBitWord);
    }
  }
  CARILLON_INLINE void put_all(size_t place) {
    CARILLON_UNROLL
    for (size_t i = place; i < place + 4 * kBitWord; i += F::N) store(y + i, scaled(load(x + i)));
  }
  CARILLON_INLINE void hold(size_t slot, size_t place) { held[slot] = x[place]; }
  CARILLON_INLINE void keep(const uint32_t* place, size_t slot, size_t count, uint32_t kept) {
    float values[F::N];
    store(values, scaled(load(held + slot)));
    for (size_t l = 0; l < count; ++l) {
      if ((kept >> l & 1u) != 0) y[place[l]] = values[l];
    }
  }

 private:
  CARILLON_INLINE void put_lanes(M keep, size_t i) { store(y + i, select(keep, scaled(load(x + i)), dropped)); }
};

void dropout_f32(const float* x, float* y, size_t count, uint64_t first_index, const DropoutArguments& arguments) {
  for (size_t i = 0; i < count;) {
    const DropoutStretch stretch(count - i, first_index + i);
    float buffer[kSuperblock];
    if (!stretch.whole) {
      __builtin_memset(buffer, 0, sizeof buffer);
      __builtin_memcpy(buffer + stretch.place, x + i, stretch.length * sizeof(float));
    }
    DropoutValues target(stretch.whole ? x + i : buffer, stretch.whole ? y + i : buffer, arguments);
    dropout_superblocks(target, stretch.superblock, stretch.superblocks, arguments);
    if (!stretch.whole) __builtin_memcpy(y + i, buffer + stretch.place, stretch.length * sizeof(float));
    i += stretch.length;
  }
}
