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
constexpr size_t kRowsAtOnce = F::N == kLanes         ? kBlocksAtOnce
                               : kBlocksAtOnce > sums ? kBlocksAtOnce / sums
                                                      : 1;

// Rows of a group: their totals, means and roots are one register, and the next group's are begun while nobody waits
// for these. Of wide rows fewer, so that what is read again is still in the first cache.
CARILLON_INLINE size_t rows_of_group(size_t columns) {
  constexpr size_t kElements = 2048, kLeast = F::N < 4 ? F::N : 4;
  size_t rows = F::N;
  while (rows > kLeast && rows * columns > kElements) rows /= 2;
  return rows;
}

// Where it is known beforehand that all N are there.
template <bool whole>
CARILLON_INLINE F load_some(const float* p, size_t count) {
  return whole ? load(p) : load_part(p, count);
}
template <bool whole>
CARILLON_INLINE void store_some(float* p, F x, size_t count) {
  if constexpr (whole) {
    store(p, x);
  } else {
    store_part(p, x, count);
  }
}

// The lanes of the sums of elements [begin, end) of a few rows. Rows have add_to<whole>(lanes, r, i, count), which adds
// the `count` elements from i on, N where they are whole, to register r of every sum of every row.
template <size_t together, class Rows>
CARILLON_INLINE void add_block(const Rows& rows, size_t begin, size_t end,
                               F (&lanes)[Rows::sums][together][kRegisters]) {
  CARILLON_UNROLL
  for (size_t s = 0; s < Rows::sums; ++s) {
    CARILLON_UNROLL
    for (size_t b = 0; b < together; ++b) {
      CARILLON_UNROLL
      for (size_t r = 0; r < kRegisters; ++r) lanes[s][b][r] = zero();
    }
  }
  size_t i = begin;
  for (; i + kLanes <= end; i += kLanes) {
    CARILLON_UNROLL
    for (size_t r = 0; r < kRegisters; ++r) rows.template add_to<true>(lanes, r, i + r * F::N, F::N);
  }
  if (i == end) return;
  CARILLON_UNROLL
  for (size_t r = 0; r < kRegisters; ++r) {
    const size_t at = i + r * F::N;
    if (at < end) rows.template add_to<false>(lanes, r, at, smaller_of(F::N, end - at));
  }
}

// Sums of rows of one block: their lanes, at `row` of the group's.
template <size_t together, class Rows>
CARILLON_INLINE void add_narrow(const Rows& rows, size_t columns, size_t row,
                                F (&group)[Rows::sums][F::N][kRegisters]) {
  F lanes[Rows::sums][together][kRegisters];
  add_block<together>(rows, 0, columns, lanes);
  CARILLON_UNROLL
  for (size_t s = 0; s < Rows::sums; ++s) {
    CARILLON_UNROLL
    for (size_t b = 0; b < together; ++b) {
      CARILLON_UNROLL
      for (size_t r = 0; r < kRegisters; ++r) group[s][row + b][r] = lanes[s][b][r];
    }
  }
}

// Sums of rows of several blocks.
template <size_t together, class Rows>
CARILLON_INLINE void add_wide(const Rows& rows, size_t columns, size_t row, float (&group)[Rows::sums][F::N]) {
  BlockTree trees[Rows::sums][together];
  for (size_t begin = 0; begin < columns; begin += kReduceBlock) {
    F lanes[Rows::sums][together][kRegisters];
    add_block<together>(rows, begin, smaller_of(columns, begin + kReduceBlock), lanes);
    CARILLON_UNROLL
    for (size_t s = 0; s < Rows::sums; ++s) {
      CARILLON_UNROLL
      for (size_t b = 0; b < together; ++b) push_block(trees[s][b], lanes[s][b]);
    }
  }
  for (size_t s = 0; s < Rows::sums; ++s) {
    for (size_t b = 0; b < together; ++b) group[s][row + b] = trees[s][b].total();
  }
}

// totals[s]: lane b is sum s of row b, each in the order of reduce(). A group has rows<together>(row), the rows from
// there on.
template <class Group>
CARILLON_INLINE void sum_group(const Group& group, size_t rows, size_t columns, F* totals) {
  constexpr size_t sums = Group::sums, at_once = kRowsAtOnce<sums>;
  size_t row = 0;
  if (columns <= kReduceBlock) {
    F lanes[sums][F::N][kRegisters];
    for (; row + at_once <= rows; row += at_once) {
      add_narrow<at_once>(group.template rows<at_once>(row), columns, row, lanes);
    }
    for (; row < rows; ++row) add_narrow<1>(group.template rows<1>(row), columns, row, lanes);
    for (; row < F::N; ++row) {
      for (size_t s = 0; s < sums; ++s) {
        for (size_t r = 0; r < kRegisters; ++r) lanes[s][row][r] = zero();
      }
    }
    for (size_t s = 0; s < sums; ++s) totals[s] = add_trees(lanes[s][0]);
    return;
  }
  float wide[sums][F::N] = {};
  for (; row + at_once <= rows; row += at_once) {
    add_wide<at_once>(group.template rows<at_once>(row), columns, row, wide);
  }
  for (; row < rows; ++row) add_wide<1>(group.template rows<1>(row), columns, row, wide);
  for (size_t s = 0; s < sums; ++s) totals[s] = load(wide[s]);
}

template <bool squared>
CARILLON_INLINE F add_deviation(F chain, F d) {
  return squared ? fma(d, d, chain) : add(chain, d);
}

// Σ (x − center), or with `squared` Σ (x − center)², of each row. With `fetches` the lines `ahead` floats behind
// those of `fetched`, an array beside x, are asked for.
template <size_t together, bool squared, bool fetches>
struct DeviationRows {
  static constexpr size_t sums = 1;
  const float* x;
  const float* fetched;
  size_t columns;
  size_t ahead;
  F center[together];
  template <bool whole>
  CARILLON_INLINE void add_to(F (&lanes)[1][together][kRegisters], size_t r, size_t i, size_t count) const {
    CARILLON_UNROLL
    for (size_t b = 0; b < together; ++b) {
      const float* row = x + b * columns;
      if constexpr (fetches) prefetch_line(fetched + b * columns, i, ahead);
      const F d = sub(load_some<whole>(row + i, count), center[b]);
      lanes[0][b][r] = add_deviation<squared>(lanes[0][b][r], whole ? d : select(first_lanes(count), d, zero()));
    }
  }
};

template <bool squared, bool fetches>
struct DeviationGroup {
  static constexpr size_t sums = 1;
  const float* x;
  const float* fetched;
  size_t columns;
  size_t ahead;
  const float* centers;  // one a row
  template <size_t together>
  CARILLON_INLINE DeviationRows<together, squared, fetches> rows(size_t row) const {
    DeviationRows<together, squared, fetches> some{x + row * columns, fetched + row * columns, columns, ahead, {}};
    CARILLON_UNROLL
    for (size_t b = 0; b < together; ++b) some.center[b] = splat(centers[row + b]);
    return some;
  }
};

CARILLON_INLINE F normalized(F x, F mean, F inverse) { return mul(sub(x, mean), inverse); }

// A row of factors or addends; where it is absent, one vector that stands for all of them.
struct RowOrVector {
  const float* at;
  size_t mask;
  CARILLON_INLINE RowOrVector(const float* row, const float (&vector)[F::N])
      : at(row == nullptr ? vector : row), mask(row == nullptr ? 0 : ~size_t{0}) {}
  // The row that begins so far behind.
  CARILLON_INLINE RowOrVector(const RowOrVector& other, size_t offset)
      : at(other.at + (offset & other.mask)), mask(other.mask) {}
  template <bool whole>
  CARILLON_INLINE F load_from(size_t i, size_t count) const {
    return load_some<whole>(at + (i & mask), count);
  }
};

// What becomes of the rows of a group: y = fma(n, scale, shift), n = (x − mean)·inverse; an absent scale is 1, an
// absent shift −0, which change no bit of n. means, inverses: one a row.
struct ScaleGroup {
  const float* x;
  RowOrVector scale;
  RowOrVector shift;
  float* y;
  size_t columns;
  size_t ahead;
  const float* means;
  const float* inverses;
  template <size_t together>
  CARILLON_INLINE void write(size_t row) const {
    const float* from = x + row * columns;
    float* to = y + row * columns;
    F mean[together], inverse[together];
    CARILLON_UNROLL
    for (size_t b = 0; b < together; ++b) {
      mean[b] = splat(means[row + b]);
      inverse[b] = splat(inverses[row + b]);
    }
    size_t i = 0;
    for (; i + F::N <= columns; i += F::N) write_part<together, true>(from, to, mean, inverse, i, F::N);
    if (i < columns) write_part<together, false>(from, to, mean, inverse, i, columns - i);
  }
  template <size_t together, bool whole>
  CARILLON_INLINE void write_part(const float* from, float* to, const F* mean, const F* inverse, size_t i,
                                  size_t count) const {
    const F factor = scale.load_from<whole>(i, count);
    const F addend = shift.load_from<whole>(i, count);
    CARILLON_UNROLL
    for (size_t b = 0; b < together; ++b) {
      const size_t at = b * columns + i;
      prefetch_line(to + b * columns, i, ahead);
      store_some<whole>(
          to + at, fma(normalized(load_some<whole>(from + at, count), mean[b], inverse[b]), factor, addend), count);
    }
  }
};

// Rows [0, rows) of a group that begins at row `first` of the task.
CARILLON_INLINE void scale_group(const RowNorm& task, size_t first, size_t rows, size_t ahead, const float* means,
                                 const float* inverses) {
  constexpr size_t at_once = kRowsAtOnce<1>;
  const size_t columns = task.columns;
  float ones[F::N], nothings[F::N];
  store(ones, splat(1.0f));
  store(nothings, splat(-0.0f));
  const RowOrVector scale(task.scale, ones), shift(task.shift, nothings);
  const float* x = task.x + first * columns;
  float* y = task.y + first * columns;
  // The last rows first: where y is x their elements would be waited for behind the last ones of the row before, which
  // a masked store wrote.
  size_t row = rows;
  if (task.groups == 1) {
    const ScaleGroup group{x, scale, shift, y, columns, ahead, means, inverses};
    while (row % at_once != 0) group.write<1>(--row);
    while (row != 0) group.write<at_once>(row -= at_once);
    return;
  }
  size_t of = (first + rows) % task.groups;
  while (row != 0) {
    of = (of == 0 ? task.groups : of) - 1;
    const size_t offset = of * columns;
    const ScaleGroup group{x, {scale, offset}, {shift, offset}, y, columns, ahead, means, inverses};
    group.write<1>(--row);
  }
}

// Rows [begin, end). With deviations d = x − mean (mean = 0 where there is none): variance = Σd²/columns, inverse =
// 1/√(variance + ε), y = fma(d·inverse, scale, shift). mean = x₀ + Σ(x − x₀)/columns, x₀ the first element of the row.
void row_norm_f32(const RowNorm& task, size_t begin, size_t end) {
  const RowNorm own = task;  // what is written cannot change it
  const size_t columns = own.columns;
  const F count = splat(static_cast<float>(columns));
  const size_t at_once = rows_of_group(columns);
  // Lines of y are asked for in the second pass over x, which has nothing else to wait for (at 64 MB rows of 512 go
  // from 0.82 to 0.93 of the pattern; of 100, and of groups of fewer elements than are asked for ahead, 0.93 to 0.86).
  const bool early = own.mean != nullptr && own.ahead != 0 && own.ahead <= at_once * columns &&
                     columns <= kReduceBlock && columns % kLanes == 0;
  for (size_t row = begin; row < end; row += at_once) {
    const size_t rows = smaller_of(at_once, end - row);
    const float* x = own.x + row * columns;
    float means[F::N] = {}, inverses[F::N];
    F squares;
    if (own.mean != nullptr) {
      for (size_t b = 0; b < rows; ++b) means[b] = x[b * columns];
      F sum;
      sum_group(DeviationGroup<false, true>{x, x, columns, own.ahead, means}, rows, columns, &sum);
      store(means, add(load(means), div(sum, count)));
      store_at_most(own.mean + row, load(means), rows);
      if (early) {
        sum_group(DeviationGroup<true, true>{x, own.y + row * columns, columns, 0, means}, rows, columns, &squares);
      } else {
        sum_group(DeviationGroup<true, false>{x, x, columns, 0, means}, rows, columns, &squares);
      }
    } else {
      sum_group(DeviationGroup<true, true>{x, x, columns, own.ahead, means}, rows, columns, &squares);
    }
    store(inverses, div(splat(1.0f), sqrt(add(div(squares, count), splat(own.epsilon)))));
    store_at_most(own.inverse + row, load(inverses), rows);
    scale_group(own, row, rows, early ? 0 : own.ahead, means, inverses);
  }
}

// The chains of the columns behind the last whole lanes, as long as a task lasts: what a masked store wrote would be
// waited for.
struct ChainTails {
  F flows[kRegisters], products[kRegisters];
};

// Σ p and Σ p·n of each row, p = g·scale, n = (x − mean)·inverse; with `summed` g and g·n are added to the chains of
// the columns as well, row by row.
template <size_t together, bool scaled, bool summed>
struct NormGradientRows {
  static constexpr size_t sums = 2;
  const float* x;
  const float* g;
  const float* scale;
  float* flows;
  float* products;
  ChainTails* tails;
  size_t stride;
  size_t ahead;
  F mean[together], inverse[together];
  template <bool whole>
  CARILLON_INLINE void add_to(F (&lanes)[2][together][kRegisters], size_t r, size_t i, size_t count) const {
    const F factor = scaled ? load_some<whole>(scale + i, count) : zero();
    F flow = !summed ? zero() : whole ? load(flows + i) : tails->flows[r];
    F product = !summed ? zero() : whole ? load(products + i) : tails->products[r];
    CARILLON_UNROLL
    for (size_t b = 0; b < together; ++b) {
      const size_t at = b * stride + i;
      prefetch_line(x + b * stride, i, ahead);
      const F gradient = load_some<whole>(g + at, count);
      const F value = load_some<whole>(x + at, count);
      // What stands for an element that is missing has p = 0.
      const F n = normalized(whole ? value : select(first_lanes(count), value, mean[b]), mean[b], inverse[b]);
      if constexpr (summed) {
        flow = add(flow, gradient);
        product = fma(gradient, n, product);
      }
      const F p = scaled ? mul(gradient, factor) : gradient;
      lanes[0][b][r] = add(lanes[0][b][r], p);
      lanes[1][b][r] = fma(p, n, lanes[1][b][r]);
    }
    if constexpr (summed && whole) {
      store(flows + i, flow);
      store(products + i, product);
    } else if constexpr (summed) {
      tails->flows[r] = flow;
      tails->products[r] = product;
    }
  }
};

template <bool scaled, bool summed>
struct NormGradientGroup {
  static constexpr size_t sums = 2;
  const RowNormGradient& task;
  ChainTails* tails;
  size_t first;
  template <size_t together>
  CARILLON_INLINE NormGradientRows<together, scaled, summed> rows(size_t row) const {
    const size_t at = (first + row) * task.stride;
    NormGradientRows<together, scaled, summed> some{task.x + at, task.g + at, task.scale, task.flows, task.products,
                                                    tails,       task.stride, task.ahead, {},         {}};
    CARILLON_UNROLL
    for (size_t b = 0; b < together; ++b) {
      const size_t of_row = (first + row + b) * task.row_stride;
      some.mean[b] = splat(task.mean == nullptr ? 0.0f : task.mean[of_row]);
      some.inverse[b] = splat(task.inverse[of_row]);
    }
    return some;
  }
};

// dx = ((p − offset) − n·slope)·inverse of a row.
template <bool scaled>
struct GradientRow {
  const float* x;
  const float* g;
  const float* scale;
  float* dx;
  size_t ahead;
  F mean, inverse, offset, slope;
  template <bool whole>
  CARILLON_INLINE void write(size_t i, size_t count) const {
    prefetch_line(g, i, ahead);
    const F flow = load_some<whole>(g + i, count);
    const F p = scaled ? mul(flow, load_some<whole>(scale + i, count)) : flow;
    const F n = normalized(load_some<whole>(x + i, count), mean, inverse);
    store_some<whole>(dx + i, mul(fnma(n, slope, sub(p, offset)), inverse), count);
  }
};

template <bool scaled>
CARILLON_INLINE GradientRow<scaled> gradient_row(const RowNormGradient& task, size_t row, float offset, float slope) {
  const size_t at = row * task.stride, of_row = row * task.row_stride;
  return {task.x + at,
          task.g + at,
          task.scale,
          task.dx + at,
          task.ahead,
          splat(task.mean == nullptr ? 0.0f : task.mean[of_row]),
          splat(task.inverse[of_row]),
          splat(offset),
          splat(slope)};
}

// dx = ((p − a) − n·b)·inverse with a = Σp/columns (0 where there is no mean), b = Σ(p·n)/columns.
template <bool scaled, bool summed>
CARILLON_INLINE void row_gradients(const RowNormGradient& task, size_t rows) {
  const RowNormGradient own = task;  // what is written cannot change it
  const size_t columns = own.columns;
  const F count = splat(static_cast<float>(columns));
  const size_t at_once = rows_of_group(columns);
  ChainTails tails;
  const size_t rest = columns % kLanes, behind = columns - rest;
  if constexpr (summed) {
    CARILLON_UNROLL
    for (size_t r = 0; r < kRegisters; ++r) {
      const size_t at = r * F::N, part = at < rest ? smaller_of(F::N, rest - at) : 0;
      tails.flows[r] = load_part(own.flows + behind + at, part);
      tails.products[r] = load_part(own.products + behind + at, part);
    }
  }
  for (size_t row = 0; row < rows; row += at_once) {
    const size_t end = smaller_of(rows, row + at_once);
    F totals[2];
    sum_group(NormGradientGroup<scaled, summed>{own, &tails, row}, end - row, columns, totals);
    float offsets[F::N], slopes[F::N];
    store(offsets, own.mean == nullptr ? zero() : div(totals[0], count));
    store(slopes, div(totals[1], count));
    // First what is left of all rows behind their whole vectors: where dx is g the one would be waited for behind the
    // other, as a masked store reaches into the next row.
    const size_t left = columns % F::N;
    if (left != 0) {
      for (size_t r = row; r < end; ++r) {
        gradient_row<scaled>(own, r, offsets[r - row], slopes[r - row]).template write<false>(columns - left, left);
      }
    }
    for (size_t r = row; r < end; ++r) {
      const GradientRow<scaled> one = gradient_row<scaled>(own, r, offsets[r - row], slopes[r - row]);
      for (size_t i = 0; i + F::N <= columns; i += F::N) one.template write<true>(i, F::N);
    }
  }
  if constexpr (summed) {
    CARILLON_UNROLL
    for (size_t r = 0; r < kRegisters; ++r) {
      const size_t at = r * F::N, part = at < rest ? smaller_of(F::N, rest - at) : 0;
      store_part(own.flows + behind + at, tails.flows[r], part);
      store_part(own.products + behind + at, tails.products[r], part);
    }
  }
}

void row_norm_gradient_f32(const RowNormGradient& task, size_t rows) {
  if (task.flows == nullptr) {
    if (task.scale == nullptr) {
      row_gradients<false, false>(task, rows);
    } else {
      row_gradients<true, false>(task, rows);
    }
  } else if (task.scale == nullptr) {
    row_gradients<false, true>(task, rows);
  } else {
    row_gradients<true, true>(task, rows);
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
      chain = add_deviation<squared>(chain, sub(load_at_most(x + (row + r) * stride + i, part), middle));
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

// y[r, c] = fma(x[r, c] − center[c], factor[c], shift[c]); an absent center is 0, an absent shift −0. Rows begin
// `stride` apart.
void column_norm_f32(const float* x, size_t stride, size_t rows, size_t columns, const float* center,
                     const float* factor, const float* shift, float* y) {
  const F nothing = splat(-0.0f);
  for (size_t r = 0; r < rows; ++r, x += stride, y += stride) {
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
    const float* x = task.x + r * task.stride;
    const float* g = task.g + r * task.stride;
    float* dx = task.dx + r * task.stride;
    size_t i = 0;
    for (; i + F::N <= columns; i += F::N) store(dx + i, column_gradient(own, x, g, i, F::N));
    if (i < columns) store_part(dx + i, column_gradient(own, x, g, i, columns - i), columns - i);
  }
}
