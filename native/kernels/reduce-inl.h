// Reductions in the fixed order of NUMERICS, and column sums.
//
// Blocks of kReduceBlock elements. Inside a block lane l (of 16) starts at +0 and takes elements l, l + 16, … in order.
// Since it starts at +0 a lane is never −0, so the +0 that stands for a missing element changes nothing. Lanes combine
// as i with i + 8, then + 4, + 2, + 1 (add_tree); block sums by a binary counter (BlockTree). An empty sum is +0.

constexpr size_t kLanes = 16;
constexpr size_t kRegisters = kLanes / F::N;
// Chains that hide the latency of an add (4 cycles, 2 a cycle): AVX-512 walks four blocks at once, AVX2 two registers a
// block and four blocks, NEON has four registers in one block; scalar code has nothing to hide.
constexpr size_t kBlocksAtOnce = kRegisters <= 2 ? 4 : 1;

// Pairwise summation of a stream: a binary counter whose level l holds the sum of 2^l blocks.
struct BlockTree {
  float level[64];
  uint64_t occupied = 0;

  CARILLON_INLINE void push(float sum) {
    size_t l = 0;
    for (; (occupied >> l & 1) != 0; ++l) {
      sum = level[l] + sum;
      occupied &= ~(uint64_t{1} << l);
    }
    level[l] = sum;
    occupied |= uint64_t{1} << l;
  }

  // From the lowest occupied level upwards: higher + what has been gathered.
  CARILLON_INLINE float total() const {
    if (occupied == 0) return 0.0f;
    float sum = level[__builtin_ctzll(occupied)];
    for (uint64_t rest = occupied & (occupied - 1); rest != 0; rest &= rest - 1) {
      sum = level[__builtin_ctzll(rest)] + sum;
    }
    return sum;
  }
};

// Pushes the sum of a block. Called, not inlined, where that is done once in 1,024 elements of much work.
[[maybe_unused, gnu::noinline]] void push_block(BlockTree& tree, F (&lanes)[kRegisters]) { tree.push(add_tree(lanes)); }

// A term has whole(lane, i), which adds elements [i, i + N) to a register of lanes, and part(lane, i, count) for the
// first `count` of them.
template <class Term>
CARILLON_INLINE float reduce_block(const Term& term, size_t begin, size_t end) {
  F lanes[kRegisters];
  for (size_t r = 0; r < kRegisters; ++r) lanes[r] = zero();
  size_t i = begin;
  for (; i + kLanes <= end; i += kLanes) {
    CARILLON_UNROLL
    for (size_t r = 0; r < kRegisters; ++r) lanes[r] = term.whole(lanes[r], i + r * F::N);
  }
  for (size_t r = 0; i < end; ++r, i += F::N) {
    lanes[r] = end - i >= F::N ? term.whole(lanes[r], i) : term.part(lanes[r], i, end - i);
  }
  return add_tree(lanes);
}

template <class Term>
CARILLON_INLINE void reduce_blocks_at_once(const Term& term, size_t begin, BlockTree& tree) {
  F lanes[kBlocksAtOnce][kRegisters];
  for (size_t b = 0; b < kBlocksAtOnce; ++b) {
    for (size_t r = 0; r < kRegisters; ++r) lanes[b][r] = zero();
  }
  for (size_t i = begin; i < begin + kReduceBlock; i += kLanes) {
    CARILLON_UNROLL
    for (size_t b = 0; b < kBlocksAtOnce; ++b) {
      CARILLON_UNROLL
      for (size_t r = 0; r < kRegisters; ++r) {
        lanes[b][r] = term.whole(lanes[b][r], b * kReduceBlock + i + r * F::N);
      }
    }
  }
  for (size_t b = 0; b < kBlocksAtOnce; ++b) tree.push(add_tree(lanes[b]));
}

template <class Term>
CARILLON_INLINE float reduce(const Term& term, size_t count) {
  if (count <= kReduceBlock) return reduce_block(term, 0, count);
  BlockTree tree;
  size_t begin = 0;
  if constexpr (kBlocksAtOnce > 1) {
    constexpr size_t stride = kBlocksAtOnce * kReduceBlock;
    for (; count - begin >= stride; begin += stride) reduce_blocks_at_once(term, begin, tree);
  }
  for (; begin < count; begin += kReduceBlock) {
    tree.push(reduce_block(term, begin, smaller_of(count, begin + kReduceBlock)));
  }
  return tree.total();
}

struct SumTerm {
  const float* x;
  CARILLON_INLINE F whole(F lane, size_t i) const { return add(lane, load(x + i)); }
  CARILLON_INLINE F part(F lane, size_t i, size_t count) const { return add(lane, load_part(x + i, count)); }
};

struct AbsoluteTerm {
  const float* x;
  CARILLON_INLINE F whole(F lane, size_t i) const { return add(lane, abs(load(x + i))); }
  CARILLON_INLINE F part(F lane, size_t i, size_t count) const { return add(lane, abs(load_part(x + i, count))); }
};

// lane = fma(x, x, lane)
struct SquareTerm {
  const float* x;
  CARILLON_INLINE F step(F lane, F value) const { return fma(value, value, lane); }
  CARILLON_INLINE F whole(F lane, size_t i) const { return step(lane, load(x + i)); }
  CARILLON_INLINE F part(F lane, size_t i, size_t count) const { return step(lane, load_part(x + i, count)); }
};

float sum_f32(const float* x, size_t count) { return reduce(SumTerm{x}, count); }
float sum_squares_f32(const float* x, size_t count) { return reduce(SquareTerm{x}, count); }

// ---- Column sums -------------------------------------------------------------------------------------------

// One chain a column, rows in order, from +0 and again from +0 every kColumnBlock rows; blocks added in order.
// `vectors` registers side by side, `together` blocks at once: enough chains to hide the latency, and whole cache lines
// of a row.

// Of blocks of `rows` rows each, kColumnBlock where there are several; the last vector has `tail` columns.
template <size_t vectors, size_t together>
CARILLON_INLINE void column_chains(const float* x, size_t rows, size_t columns, size_t tail,
                                   F (&chain)[together][vectors]) {
  CARILLON_UNROLL
  for (size_t b = 0; b < together; ++b) {
    CARILLON_UNROLL
    for (size_t v = 0; v < vectors; ++v) chain[b][v] = zero();
  }
  for (size_t r = 0; r < rows; ++r, x += columns) {
    CARILLON_UNROLL
    for (size_t b = 0; b < together; ++b) {
      const float* row = x + b * kColumnBlock * columns;
      CARILLON_UNROLL
      for (size_t v = 0; v < vectors; ++v) {
        const float* at = row + v * F::N;
        chain[b][v] = add(chain[b][v], v + 1 < vectors || tail == F::N ? load(at) : load_part(at, tail));
      }
    }
  }
}

// Where sums go: those of a block a row of `columns` behind the other where they stay `apart`, else their sum.
template <size_t vectors, bool apart>
struct ColumnSums {
  float* y;
  size_t columns;
  size_t tail;
  F total[vectors];

  CARILLON_INLINE ColumnSums(float* y_, size_t columns_, size_t tail_) : y(y_), columns(columns_), tail(tail_) {
    for (size_t v = 0; v < vectors; ++v) total[v] = zero();
  }
  CARILLON_INLINE void put(const F (&sum)[vectors]) const {
    for (size_t v = 0; v < vectors; ++v) {
      if (v + 1 < vectors || tail == F::N) {
        store(y + v * F::N, sum[v]);
      } else {
        store_part(y + v * F::N, sum[v], tail);
      }
    }
  }
  CARILLON_INLINE void take(const F (&chain)[vectors]) {
    if constexpr (apart) {
      put(chain);
      y += columns;
    } else {
      // The first block is added to +0, which changes nothing: a chain from +0 is never −0.
      for (size_t v = 0; v < vectors; ++v) total[v] = add(total[v], chain[v]);
    }
  }
};

template <size_t vectors, size_t together, bool apart>
CARILLON_INLINE void column_sum_tile(const float* x, size_t rows, size_t columns, float* y, size_t tail) {
  ColumnSums<vectors, apart> sums(y, columns, tail);
  size_t begin = 0;
  for (; begin + together * kColumnBlock <= rows; begin += together * kColumnBlock) {
    F chain[together][vectors];
    column_chains<vectors, together>(x + begin * columns, kColumnBlock, columns, tail, chain);
    for (size_t b = 0; b < together; ++b) sums.take(chain[b]);
  }
  for (; begin < rows; begin += kColumnBlock) {
    F chain[1][vectors];
    column_chains<vectors, 1>(x + begin * columns, smaller_of(kColumnBlock, rows - begin), columns, tail, chain);
    sums.take(chain[0]);
  }
  if constexpr (!apart) sums.put(sums.total);
}

template <bool apart>
CARILLON_INLINE void column_sums(const float* x, size_t rows, size_t columns, float* y, size_t begin, size_t end) {
  constexpr size_t few = kBlocksAtOnce, some = few < 2 ? few : 2;
  constexpr size_t wide = 4 * F::N, half = 2 * F::N;
  size_t c = begin;
  for (; c + wide <= end; c += wide) column_sum_tile<4, some, apart>(x + c, rows, columns, y + c, F::N);
  for (; c + half <= end; c += half) column_sum_tile<2, few, apart>(x + c, rows, columns, y + c, F::N);
  for (; c < end; c += F::N) {
    column_sum_tile<1, few, apart>(x + c, rows, columns, y + c, smaller_of(F::N, end - c));
  }
}

void column_sum_f32(const float* x, size_t rows, size_t columns, float* y, size_t begin, size_t end) {
  column_sums<false>(x, rows, columns, y, begin, end);
}

void column_block_sums_f32(const float* x, size_t rows, size_t columns, float* sums) {
  column_sums<true>(x, rows, columns, sums, 0, columns);
}
