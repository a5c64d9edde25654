// Gaussian noise: y[i] = x[i]·(1 + deviation·n(first_index + i)), n standard normal from Philox by Box and Muller
// (1958).
//
// The definition of n. Element e lies in superblock s = e / 64 at place q = e mod 64. Its 16 blocks have the Philox
// indices 16·s + lane, and q = 16·k + lane: of the output words of block `lane` (w₀, w₁) give the normals k = 0, 1 and
// (w₂, w₃) those of k = 2, 3: √(−2 ln u)·cos 2πv and √(−2 ln u)·sin 2πv with u = (w₀ + 1)/2³², v = w₁/2³². So for a
// given k the 16 lanes are 16 elements in a row and nothing is transposed. u in (0, 1] is rounded once to float, so it
// has steps of 2^-32 near 0 and the tail reaches √(64 ln 2) = 6.66. log is exact to 1.003 ulp, sin and cos to 2^-23
// of 1.

constexpr size_t kNoiseBlock = 64;

// √(−2 ln u), u = (word + 1)/2³²; the top 24 bits and the others are floats, so one rounding in all.
CARILLON_INLINE F noise_radius(U word) {
  const F high = to_float(as_i(shift_right<8>(word)));
  const F low = add(to_float(as_i(bit_and(word, splat_u(0xffu)))), splat(1.0f));
  const F u = fma(high, splat(0x1p-24f), mul(low, splat(0x1p-32f)));
  const Mantissa parts = split_mantissa(u);
  const F e = to_float(sub(as_i(parts.exponent), splat_i(127)));
  return sqrt(mul(log_of_parts(e, sub(parts.m, splat(1.0f))), splat(-2.0f)));
}

// cos and sin of 2π·word/2³² = (π/2)·(q + f), f in [−½, ½): f is the low 30 bits, signed, and q counts quarters.
// sin (π/2)f = f·p(f²), cos (π/2)f = p(f²), |relative error| < 2^-25 and 2^-31.
struct Turn {
  F cosine, sine;
};
CARILLON_INLINE Turn noise_turn(U word) {
  const U quarter = shift_right<30>(add(word, splat_u(1u << 29)));
  const F f = mul(to_float(as_i(shift_left<2>(word))), splat(0x1p-32f));
  const F square = mul(f, f);
  F s = splat(-0x1.32ed66p-8f);
  s = fma(s, square, splat(0x1.467fc2p-4f));
  s = fma(s, square, splat(-0x1.4abc22p-1f));
  s = fma(s, square, splat(0x1.921fb6p+0f));
  s = mul(s, f);
  F c = splat(0x1.d4f7eep-11f);
  c = fma(c, square, splat(-0x1.55b2b6p-6f));
  c = fma(c, square, splat(0x1.03c1b0p-2f));
  c = fma(c, square, splat(-0x1.3bd3ccp+0f));
  c = fma(c, square, splat(1.0f));
  // By quarter: cos is c, −s, −c, s and sin is s, c, −s, −c.
  const M odd = equal(as_i(bit_and(quarter, splat_u(1))), splat_i(1));
  const U cosine_sign = shift_left<30>(bit_and(add(quarter, splat_u(1)), splat_u(2)));
  const U sine_sign = shift_left<30>(bit_and(quarter, splat_u(2)));
  return {from_bits(bit_xor(bits(select(odd, s, c)), cosine_sign)),
          from_bits(bit_xor(bits(select(odd, c, s)), sine_sign))};
}

// x, y: [64], the elements of superblock `index`.
CARILLON_INLINE void noise_superblock(const float* x, float* y, uint64_t index, const PhiloxStream& stream,
                                      F deviation) {
  for (size_t lane = 0; lane < kLanes; lane += F::N) {
    const U block[1] = {add(lane_numbers(), splat_u(static_cast<uint32_t>(index * kLanes + lane)))};
    U words[1][4];
    philox(stream, block, words);
    for (size_t pair = 0; pair < 2; ++pair) {
      const F radius = noise_radius(words[0][2 * pair]);
      const Turn turn = noise_turn(words[0][2 * pair + 1]);
      const size_t place = 2 * pair * kLanes + lane;
      const F first = fma(deviation, mul(radius, turn.cosine), splat(1.0f));
      const F second = fma(deviation, mul(radius, turn.sine), splat(1.0f));
      store(y + place, mul(load(x + place), first));
      store(y + place + kLanes, mul(load(x + place + kLanes), second));
    }
  }
}

// Superblocks that the range covers in part go through a buffer.
void noise_f32(const float* x, float* y, size_t count, uint64_t first_index, const NoiseArguments& arguments) {
  const F deviation = splat(arguments.deviation);
  uint32_t purpose = counter_purpose(Purpose::noise, first_index / kNoiseBlock * kLanes);
  PhiloxStream stream(arguments.seed, arguments.step, arguments.site, purpose);
  size_t i = 0;
  while (i < count) {
    const uint64_t element = first_index + i;
    if (const uint32_t next = counter_purpose(Purpose::noise, element / kNoiseBlock * kLanes); next != purpose) {
      purpose = next;
      stream = PhiloxStream(arguments.seed, arguments.step, arguments.site, purpose);
    }
    const size_t place = static_cast<size_t>(element % kNoiseBlock);
    const size_t length = smaller_of(kNoiseBlock - place, count - i);
    if (length == kNoiseBlock) {
      noise_superblock(x + i, y + i, element / kNoiseBlock, stream, deviation);
    } else {
      float buffer[kNoiseBlock] = {};
      __builtin_memcpy(buffer + place, x + i, length * sizeof(float));
      noise_superblock(buffer, buffer, element / kNoiseBlock, stream, deviation);
      __builtin_memcpy(y + i, buffer + place, length * sizeof(float));
    }
    i += length;
  }
}
