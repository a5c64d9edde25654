// Normalization of rows and of columns: sums of deviations, the scaled result, and the gradients. Deviations are taken
// from an element of their row or column first, so that of equal elements the mean is one of them and every deviation
// is 0.

// The first `count` of N elements; a constant N where all are there, so that nothing is asked.
CARILLON_INLINE F load_at_most(const float* p, size_t count) { return count == F::N ? load(p) : load_part(p, count); }
CARILLON_INLINE void store_at_most(float* p, F x, size_t count) {
  if (count == F::N) {
    store(p, x);
  } else {
    store_part(p, x, count);
  }
}

// ---- Rows --------------------------------------------------------------------------------------------------

// Rows whose sums are walked side by side: the additions of one alone would be waited for.
template <size_t sums>
constexpr size_t kRowsAtOnce = kBlocksAtOnce > sums ? kBlocksAtOnce / sums : 1;

// The sums of a few rows of `count` elements, each in the order of reduce(): totals[row·Term::sums + sum]. A term has
// add_to(lanes, i) and add_part_to(lanes, i, count), which add elements [i, i + N) to a register of each of its sums.
template <class Term>
CARILLON_INLINE void reduce_rows(const Term* rows, size_t count, float* totals) {
  constexpr size_t at_once = kRowsAtOnce<Term::sums>;
  constexpr size_t all = at_once * Term::sums;
  BlockTree trees[all];
  for (size_t begin = 0; begin < count; begin += kReduceBlock) {
    const size_t end = smaller_of(count, begin + kReduceBlock);
    F lanes[at_once][kRegisters][Term::sums];
    CARILLON_UNROLL
    for (size_t b = 0; b < at_once; ++b) {
      for (size_t r = 0; r < kRegisters; ++r) {
        for (size_t s = 0; s < Term::sums; ++s) lanes[b][r][s] = zero();
      }
    }
    size_t i = begin;
    for (; i + kLanes <= end; i += kLanes) {
      CARILLON_UNROLL
      for (size_t b = 0; b < at_once; ++b) {
        CARILLON_UNROLL
        for (size_t r = 0; r < kRegisters; ++r) rows[b].add_to(lanes[b][r], i + r * F::N);
      }
    }
    CARILLON_UNROLL
    for (size_t r = 0; r < kRegisters; ++r) {
      const size_t at = i + r * F::N;
      if (at >= end) continue;
      CARILLON_UNROLL
      for (size_t b = 0; b < at_once; ++b) rows[b].add_part_to(lanes[b][r], at, smaller_of(F::N, end - at));
    }
    CARILLON_UNROLL
    for (size_t t = 0; t < all; ++t) {
      F lane[kRegisters];
      for (size_t r = 0; r < kRegisters; ++r) lane[r] = lanes[t / Term::sums][r][t % Term::sums];
      totals[t] = add_tree(lane);
    }
    if (count <= kReduceBlock) return;
    for (size_t t = 0; t < all; ++t) trees[t].push(totals[t]);
  }
  for (size_t t = 0; t < all; ++t) totals[t] = trees[t].total();
}

// Σ (x − center), or with `squared` Σ (x − center)².
template <bool squared>
struct DeviationTerm {
  static constexpr size_t sums = 1;
  const float* x;
  F center;
  CARILLON_INLINE static F step(F lane, F d) { return squared ? fma(d, d, lane) : add(lane, d); }
  CARILLON_INLINE void add_to(F* lanes, size_t i) const { lanes[0] = step(lanes[0], sub(load(x + i), center)); }
  CARILLON_INLINE void add_part_to(F* lanes, size_t i, size_t count) const {
    const F d = sub(load_part(x + i, count), center);
    lanes[0] = step(lanes[0], select(first_lanes(count), d, zero()));
  }
};

CARILLON_INLINE F normalized(F x, F mean, F inverse) { return mul(sub(x, mean), inverse); }

// y = fma(n, scale, shift), n = (x − mean)·inverse; an absent scale is 1, an absent shift −0, which change no bit of n.
// Asks for the lines `ahead` floats behind the row's, unless that is 0.
CARILLON_INLINE void scale_row(const RowNorm& task, size_t row, F mean, F inverse, size_t ahead) {
  const size_t columns = task.columns;
  const float* x = task.x + row * columns;
  float* y = task.y + row * columns;
  const size_t group = row % task.groups * columns;
  const float* scale = task.scale == nullptr ? nullptr : task.scale + group;
  const float* shift = task.shift == nullptr ? nullptr : task.shift + group;
  const F one = splat(1.0f), nothing = splat(-0.0f);
  size_t i = 0;
  for (; i + F::N <= columns; i += F::N) {
    if (ahead != 0) {
      prefetch_line(x, i, ahead);
      prefetch_line(y, i, ahead);
    }
    const F n = normalized(load(x + i), mean, inverse);
    store(y + i, fma(n, scale == nullptr ? one : load(scale + i), shift == nullptr ? nothing : load(shift + i)));
  }
  const size_t rest = columns - i;
  if (rest == 0) return;
  const F n = normalized(load_part(x + i, rest), mean, inverse);
  const F s = scale == nullptr ? one : load_part(scale + i, rest);
  store_part(y + i, fma(n, s, shift == nullptr ? nothing : load_part(shift + i, rest)), rest);
}

// Rows [begin, end). With deviations d = x − mean (mean = 0 where there is none): variance = Σd²/columns, inverse =
// 1/√(variance + ε), y = fma(d·inverse, scale, shift). mean = x₀ + Σ(x − x₀)/columns, x₀ the first element of the row.
void row_norm_f32(const RowNorm& task, size_t begin, size_t end) {
  constexpr size_t at_once = kRowsAtOnce<1>;
  const float count = static_cast<float>(task.columns);
  const bool far = prefetch_distance(2 * (end - begin) * task.columns * sizeof(float), 2) != 0;
  const size_t ahead = far ? at_once * task.columns : 0;
  for (size_t row = begin; row < end; row += at_once) {
    float means[at_once] = {}, sums[at_once];
    const float* x[at_once];
    // Behind the last row stands that row again.
    for (size_t b = 0; b < at_once; ++b) x[b] = task.x + smaller_of(row + b, end - 1) * task.columns;
    if (task.mean != nullptr) {
      DeviationTerm<false> terms[at_once];
      for (size_t b = 0; b < at_once; ++b) terms[b] = {x[b], splat(x[b][0])};
      reduce_rows(terms, task.columns, sums);
      for (size_t b = 0; b < at_once; ++b) means[b] = x[b][0] + sums[b] / count;
    }
    DeviationTerm<true> terms[at_once];
    for (size_t b = 0; b < at_once; ++b) terms[b] = {x[b], splat(means[b])};
    reduce_rows(terms, task.columns, sums);
    // One root and one quotient of all rows: a vector of them costs what a single one does.
    float inverses[at_once];
    for (size_t b = 0; b < at_once; b += F::N) {
      const size_t part = smaller_of(F::N, at_once - b);
      const F variance = div(load_part(sums + b, part), splat(count));
      store_part(inverses + b, div(splat(1.0f), sqrt(add(variance, splat(task.epsilon)))), part);
    }
    for (size_t b = 0; b < at_once && row + b < end; ++b) {
      if (task.mean != nullptr) task.mean[row + b] = means[b];
      task.inverse[row + b] = inverses[b];
      scale_row(task, row + b, splat(means[b]), splat(inverses[b]), ahead);
    }
  }
}

// Σ p and Σ p·n of p = g·scale, n = (x − mean)·inverse.
struct NormGradientTerm {
  static constexpr size_t sums = 2;
  F mean, inverse;
  const float* x;
  const float* g;
  const float* scale;
  size_t ahead;  // floats behind those at hand that are asked for; 0 asks for nothing new
  // What stands for an element that is missing has p = 0.
  CARILLON_INLINE void step(F* lanes, F p, F value) const {
    lanes[0] = add(lanes[0], p);
    lanes[1] = fma(p, normalized(value, mean, inverse), lanes[1]);
  }
  CARILLON_INLINE void add_to(F* lanes, size_t i) const {
    prefetch_line(x, i, ahead);
    step(lanes, scale == nullptr ? load(g + i) : mul(load(g + i), load(scale + i)), load(x + i));
  }
  // ((p − offset) − n·slope)·inverse of the `count` elements from i on.
  CARILLON_INLINE F gradient(size_t i, size_t count, F offset, F slope) const {
    const F flow = load_at_most(g + i, count);
    const F p = scale == nullptr ? flow : mul(flow, load_at_most(scale + i, count));
    const F n = normalized(load_at_most(x + i, count), mean, inverse);
    return mul(fnma(n, slope, sub(p, offset)), inverse);
  }
  CARILLON_INLINE void add_part_to(F* lanes, size_t i, size_t count) const {
    const F flow = load_part(g + i, count);
    const F p = scale == nullptr ? flow : mul(flow, load_part(scale + i, count));
    step(lanes, p, select(first_lanes(count), load_part(x + i, count), mean));
  }
};

// Rows [begin, end): dx = ((p − a) − n·b)·inverse with a = Σp/columns (0 where there is no mean), b = Σ(p·n)/columns.
void row_norm_gradient_f32(const RowNormGradient& task, size_t begin, size_t end) {
  constexpr size_t at_once = kRowsAtOnce<2>;
  const size_t columns = task.columns;
  const float count = static_cast<float>(columns);
  for (size_t row = begin; row < end; row += at_once) {
    NormGradientTerm terms[at_once];
    for (size_t b = 0; b < at_once; ++b) {
      const size_t r = smaller_of(row + b, end - 1);
      terms[b] = {splat(task.mean == nullptr ? 0.0f : task.mean[r]),
                  splat(task.inverse[r]),
                  task.x + r * columns,
                  task.g + r * columns,
                  task.scale == nullptr ? nullptr : task.scale + r % task.groups * columns,
                  task.ahead};
    }
    float sums[at_once * 2];
    reduce_rows(terms, columns, sums);
    for (size_t b = 0; b < at_once && row + b < end; ++b) {
      const F offset = splat(task.mean == nullptr ? 0.0f : sums[2 * b] / count);
      const F slope = splat(sums[2 * b + 1] / count);
      float* dx = task.dx + (row + b) * columns;
      size_t i = 0;
      const NormGradientTerm term = terms[b];  // what is written cannot change it
      for (; i + F::N <= columns; i += F::N) {
        prefetch_line(term.g, i, term.ahead);
        store(dx + i, term.gradient(i, F::N, offset, slope));
      }
      if (i < columns) store_part(dx + i, term.gradient(i, columns - i, offset, slope), columns - i);
    }
  }
}

// ---- Sums over rows, a chain a column ----------------------------------------------------------------------

// Rows that are added to the chains of a register of columns while it is held.
constexpr size_t kRowsTogether = 4;

// Adds rows to the chains of [0, columns), in order. A term has add_to<together>(i, count, row): the rows [row, row +
// together) to the chains of the `count` columns from i on.
template <class Term>
CARILLON_INLINE void add_rows(const Term& term, size_t rows, size_t columns) {
  for (size_t row = 0; row < rows;) {
    const bool together = row + kRowsTogether <= rows;
    const size_t end = together ? row + kRowsTogether : row + 1;
    size_t i = 0;
    if (together) {
      for (; i + F::N <= columns; i += F::N) term.template add_to<kRowsTogether>(i, F::N, row);
    } else {
      for (; i + F::N <= columns; i += F::N) term.template add_to<1>(i, F::N, row);
    }
    if (i < columns) {
      for (size_t r = row; r < end; ++r) term.template add_to<1>(i, columns - i, r);
    }
    row = end;
  }
}

template <bool squared>
struct ColumnDeviations {
  const float* x;
  size_t stride;
  const float* center;
  float* sums;
  template <size_t together>
  CARILLON_INLINE void add_to(size_t i, size_t part, size_t row) const {
    const F middle = load_at_most(center + i, part);
    F chain = load_at_most(sums + i, part);
    CARILLON_UNROLL
    for (size_t r = 0; r < together; ++r) {
      chain = DeviationTerm<squared>::step(chain, sub(load_at_most(x + (row + r) * stride + i, part), middle));
    }
    store_at_most(sums + i, chain, part);
  }
};

void column_deviations_f32(const float* x, size_t stride, size_t rows, size_t columns, const float* center,
                           bool squared, float* sums) {
  if (squared) {
    add_rows(ColumnDeviations<true>{x, stride, center, sums}, rows, columns);
  } else {
    add_rows(ColumnDeviations<false>{x, stride, center, sums}, rows, columns);
  }
}

// flows = g added; products = fma(g, n, products), n = (x − center)·inverse. By rows: center and inverse are numbers of
// the row; by columns: center is one of the column, and inverse is left to who reads the sums.
template <bool by_rows>
struct NormSumsTerm {
  NormSums task;
  size_t center_stride;  // from row to row
  template <size_t together>
  CARILLON_INLINE void add_to(size_t i, size_t part, size_t row) const {
    F flows = load_at_most(task.flows + i, part);
    F products = load_at_most(task.products + i, part);
    const F middle = by_rows ? zero() : load_at_most(task.center + i, part);
    CARILLON_UNROLL
    for (size_t r = 0; r < together; ++r) {
      const size_t at = (row + r) * task.stride + i;
      const F g = load_at_most(task.g + at, part);
      const F x = load_at_most(task.x + at, part);
      F n;
      if constexpr (by_rows) {
        const size_t of_row = (row + r) * task.row_stride;
        n = normalized(x, splat(task.center[(row + r) * center_stride]), splat(task.inverse[of_row]));
      } else {
        n = sub(x, middle);
      }
      flows = add(flows, g);
      products = fma(g, n, products);
    }
    store_at_most(task.flows + i, flows, part);
    store_at_most(task.products + i, products, part);
  }
};

// Of rows without a center.
constexpr float kNoCenter = 0.0f;

void norm_sums_f32(const NormSums& task, size_t rows, size_t columns) {
  NormSums own = task;
  if (own.center == nullptr) own.center = &kNoCenter;
  const size_t center_stride = task.center == nullptr ? 0 : task.row_stride;
  if (task.inverse != nullptr) {
    add_rows(NormSumsTerm<true>{own, center_stride}, rows, columns);
  } else {
    add_rows(NormSumsTerm<false>{own, 0}, rows, columns);
  }
}

// ---- Columns -----------------------------------------------------------------------------------------------

// y[r, c] = fma(x[r, c] − center[c], factor[c], shift[c]); an absent center is 0, an absent shift −0.
void column_norm_f32(const float* x, size_t rows, size_t columns, const float* center, const float* factor,
                     const float* shift, float* y) {
  const F nothing = splat(-0.0f);
  for (size_t r = 0; r < rows; ++r, x += columns, y += columns) {
    size_t i = 0;
    for (; i + F::N <= columns; i += F::N) {
      const F d = center == nullptr ? load(x + i) : sub(load(x + i), load(center + i));
      store(y + i, fma(d, load(factor + i), shift == nullptr ? nothing : load(shift + i)));
    }
    const size_t rest = columns - i;
    if (rest == 0) continue;
    const F value = load_part(x + i, rest);
    const F d = center == nullptr ? value : sub(value, load_part(center + i, rest));
    const F s = shift == nullptr ? nothing : load_part(shift + i, rest);
    store_part(y + i, fma(d, load_part(factor + i, rest), s), rest);
  }
}

// ((g − offset) − (x − center)·slope)·factor of the `count` columns from i on.
CARILLON_INLINE F column_gradient(const ColumnNormGradient& task, const float* x, const float* g, size_t i,
                                  size_t count) {
  const F d = sub(load_at_most(x + i, count), load_at_most(task.center + i, count));
  const F flow = sub(load_at_most(g + i, count), load_at_most(task.offset + i, count));
  return mul(fnma(d, load_at_most(task.slope + i, count), flow), load_at_most(task.factor + i, count));
}

void column_norm_gradient_f32(const ColumnNormGradient& task, size_t begin, size_t end) {
  const ColumnNormGradient own = task;  // what is written cannot change it
  const size_t columns = task.columns;
  for (size_t r = begin; r < end; ++r) {
    const float* x = task.x + r * columns;
    const float* g = task.g + r * columns;
    float* dx = task.dx + r * columns;
    size_t i = 0;
    for (; i + F::N <= columns; i += F::N) store(dx + i, column_gradient(own, x, g, i, F::N));
    if (i < columns) store_part(dx + i, column_gradient(own, x, g, i, columns - i), columns - i);
  }
}
