// The one driver of the optimizer rules (optimizer_rules-inl.h): the order of operations stands at UpdateArguments in
// table.h. Two instantiations a rule: the plain one knows gradient scale, L2 and Σθ² alone, which is what most steps
// need.

template <size_t states>
struct UpdateSpan {
  float* parameters;
  const float* gradients;
  float* state[states + 1];  // the last is of no use: an array has at least one element
  float* average;            // or nullptr
};

template <bool whole>
CARILLON_INLINE F load_lanes(const float* p, size_t count) {
  if constexpr (whole) return load(p);
  return load_part(p, count);
}
template <bool whole>
CARILLON_INLINE void store_lanes(float* p, F x, size_t count) {
  if constexpr (whole) {
    store(p, x);
  } else {
    store_part(p, x, count);
  }
}

// What stands around the rule, splatted once, and which of it there is.
enum UpdatePart : uint32_t {
  kHasL2 = 1,
  kHasSquares = 2,
  kHasClip = 4,
  kHasL1 = 8,
  kHasDecay = 16,
  kHasShrink = 32,
  kIsMetric = 64,
  kHasAbsolutes = 128,
  kHasAverage = 256,
};
struct UpdateFactors {
  F scale, l2, clip_low, clip_high, l1, decay, shrink, average_keep, average_take;
  uint32_t parts;

  CARILLON_INLINE UpdateFactors(const UpdateArguments& u, bool averaged)
      : scale(splat(u.gradient_scale)),
        l2(splat(u.l2)),
        clip_low(splat(-u.clip_value)),
        clip_high(splat(u.clip_value)),
        l1(splat(u.l1)),
        decay(splat(u.decay)),
        shrink(splat(u.shrink)),
        average_keep(splat(u.average_keep)),
        average_take(splat(u.average_take)),
        parts(part(u.l2 != 0.0f, kHasL2) | part(u.squares, kHasSquares) | part(u.clip_value < kInfinity, kHasClip) |
              part(u.l1 != 0.0f, kHasL1) | part(u.decay != 0.0f, kHasDecay) | part(u.shrink != 0.0f, kHasShrink) |
              part(u.metric, kIsMetric) | part(u.absolutes, kHasAbsolutes) | part(averaged, kHasAverage)) {}
  CARILLON_INLINE bool has(UpdatePart p) const { return (parts & p) != 0; }

 private:
  CARILLON_INLINE static uint32_t part(bool there, UpdatePart p) { return there ? uint32_t{p} : 0; }
};

// sign(θ)·max(|θ| − threshold, 0); NaN passes, a zero keeps the sign of θ.
CARILLON_INLINE F shrink_towards_zero(F theta, F threshold) {
  const F rest = relu(sub(abs(theta), threshold));
  return from_bits(bit_or(bits(rest), bit_and(bits(theta), splat_u(0x80000000u))));
}

// Lanes of the sums over a block of kReduceBlock, as in reduce-inl.h.
struct UpdateLanes {
  F squares[kRegisters], absolutes[kRegisters];
  CARILLON_INLINE UpdateLanes() {
    for (size_t r = 0; r < kRegisters; ++r) squares[r] = absolutes[r] = zero();
  }
};

// Vectors that go through the stages of an update together: a question about what there is is asked once for all of
// them (a jump a vector costs as much as the arithmetic of a small rule), and see optimizer_rules-inl.h. Where a vector
// is one float, one: of four the portable table would have 40 KB more.
constexpr size_t kTogether = F::N == 1 ? 1 : 4;
static_assert(kRegisters % kTogether == 0 || kTogether % kRegisters == 0);

// θ and g of `vectors` vectors from i on, or of the first `count` elements of the one. The first vector belongs to the
// register `r` of lanes.
template <size_t states, bool plain, bool whole, size_t vectors>
CARILLON_INLINE void update_load(const UpdateFactors& factors, const UpdateSpan<states>& span, size_t i, size_t count,
                                 UpdateLanes& lanes, size_t r, Step (&step)[vectors]) {
  CARILLON_UNROLL
  for (size_t v = 0; v < vectors; ++v) {
    step[v].theta = load_lanes<whole>(span.parameters + i + v * F::N, count);
    step[v].g = mul(load_lanes<whole>(span.gradients + i + v * F::N, count), factors.scale);
  }
  if (factors.has(kHasSquares)) {
    CARILLON_UNROLL
    for (size_t v = 0; v < vectors; ++v) {
      F& lane = lanes.squares[(r + v) % kRegisters];
      lane = fma(step[v].theta, step[v].theta, lane);
    }
  }
  if (!plain && factors.has(kHasAbsolutes)) {
    CARILLON_UNROLL
    for (size_t v = 0; v < vectors; ++v) {
      F& lane = lanes.absolutes[(r + v) % kRegisters];
      lane = add(lane, abs(step[v].theta));
    }
  }
  if (!plain && factors.has(kHasClip)) {
    CARILLON_UNROLL
    for (size_t v = 0; v < vectors; ++v) {
      step[v].g = select(less(step[v].g, factors.clip_low), factors.clip_low, step[v].g);
      step[v].g = select(less(factors.clip_high, step[v].g), factors.clip_high, step[v].g);
    }
  }
  if (factors.has(kHasL2)) {
    CARILLON_UNROLL
    for (size_t v = 0; v < vectors; ++v) step[v].g = fma(factors.l2, step[v].theta, step[v].g);
  }
  if (!plain && factors.has(kHasL1)) {
    CARILLON_UNROLL
    for (size_t v = 0; v < vectors; ++v) step[v].g = fma(factors.l1, sign(step[v].theta), step[v].g);
  }
  if (!plain && factors.has(kHasDecay)) {
    CARILLON_UNROLL
    for (size_t v = 0; v < vectors; ++v) {
      step[v].theta = fnma(factors.decay, step[v].theta, step[v].theta);
    }
  }
}

// The rule's own stages, and its states.
template <class Rule, size_t states, bool whole, size_t vectors>
CARILLON_INLINE void update_rule(const Rule& rule, const UpdateSpan<states>& span, size_t i, size_t count,
                                 Step (&step)[vectors]) {
  constexpr size_t early = states - Rule::late;
  CARILLON_UNROLL
  for (size_t v = 0; v < vectors; ++v) {
    F state[states + 1];
    CARILLON_UNROLL
    for (size_t s = 0; s < states; ++s) state[s] = load_lanes<whole>(span.state[s] + i + v * F::N, count);
    rule.begin(step[v], state);
    CARILLON_UNROLL
    for (size_t s = 0; s < early; ++s) store_lanes<whole>(span.state[s] + i + v * F::N, state[s], count);
  }
  CARILLON_UNROLL
  for (size_t v = 0; v < vectors; ++v) rule.root(step[v]);
  CARILLON_UNROLL
  for (size_t v = 0; v < vectors; ++v) rule.divide(step[v]);
  CARILLON_UNROLL
  for (size_t v = 0; v < vectors; ++v) {
    F state[states + 1];
    CARILLON_UNROLL
    for (size_t s = early; s < states; ++s) state[s] = load_lanes<whole>(span.state[s] + i + v * F::N, count);
    rule.end(step[v], state);
    CARILLON_UNROLL
    for (size_t s = early; s < states; ++s) store_lanes<whole>(span.state[s] + i + v * F::N, state[s], count);
    step[v].theta = fma(rule.minus_rate, step[v].d, step[v].theta);
  }
}

// What follows the rule.
template <class Rule, size_t states, bool plain, bool whole, size_t vectors>
CARILLON_INLINE void update_store(const Rule& rule, const UpdateFactors& factors, const UpdateSpan<states>& span,
                                  size_t i, size_t count, Step (&step)[vectors]) {
  if (!plain && factors.has(kHasShrink)) {
    CARILLON_UNROLL
    for (size_t v = 0; v < vectors; ++v) {
      const F threshold = factors.has(kIsMetric) ? div(factors.shrink, rule.metric(step[v])) : factors.shrink;
      step[v].theta = shrink_towards_zero(step[v].theta, threshold);
    }
  }
  CARILLON_UNROLL
  for (size_t v = 0; v < vectors; ++v) store_lanes<whole>(span.parameters + i + v * F::N, step[v].theta, count);
  if (!plain && factors.has(kHasAverage)) {
    CARILLON_UNROLL
    for (size_t v = 0; v < vectors; ++v) {
      float* place = span.average + i + v * F::N;
      const F average = load_lanes<whole>(place, count);
      const F next = fma(factors.average_keep, average, mul(factors.average_take, step[v].theta));
      store_lanes<whole>(place, flush(next), count);
    }
  }
}

template <class Rule, size_t states, bool plain, bool whole, size_t vectors>
CARILLON_INLINE void update_vectors(const Rule& rule, const UpdateFactors& factors, const UpdateSpan<states>& span,
                                    size_t i, size_t count, UpdateLanes& lanes, size_t r) {
  Step step[vectors];
  update_load<states, plain, whole>(factors, span, i, count, lanes, r, step);
  update_rule<Rule, states, whole>(rule, span, i, count, step);
  update_store<Rule, states, plain, whole>(rule, factors, span, i, count, step);
}

template <bool plain, size_t states>
CARILLON_INLINE void prefetch_span(const UpdateSpan<states>& span, size_t i) {
  prefetch(span.parameters, i);
  prefetch(span.gradients, i);
  CARILLON_UNROLL
  for (size_t s = 0; s < states; ++s) prefetch(span.state[s], i);
  if (!plain && span.average != nullptr) prefetch(span.average, i);
}

// The arrays of the row of that number, its gradient the index-th.
template <size_t states>
CARILLON_INLINE UpdateSpan<states> span_of(const UpdateTask& task, size_t row, size_t index) {
  const size_t offset = row * task.count;
  UpdateSpan<states> span{task.parameters + offset, task.gradients + index * task.count, {}, nullptr};
  for (size_t s = 0; s < states; ++s) span.state[s] = task.states[s] + offset;
  if (task.average != nullptr) span.average = task.average + offset;
  return span;
}

// Asks for the first lines of a row in all arrays but the gradient.
template <size_t states, bool plain>
CARILLON_INLINE void prefetch_row(const UpdateTask& task, size_t row) {
  constexpr size_t most = 256;  // floats
  const size_t end = smaller_of(task.count, most);
  for (size_t i = 0; i < end; i += kLine) {
    prefetch(task.parameters, row * task.count + i);
    CARILLON_UNROLL
    for (size_t s = 0; s < states; ++s) prefetch(task.states[s], row * task.count + i);
    if (!plain && task.average != nullptr) prefetch(task.average, row * task.count + i);
  }
}

template <class Rule, size_t states, bool plain>
UpdateSums update_rows(const UpdateTask& task, const UpdateArguments& arguments) {
  constexpr size_t group = kTogether * F::N;
  const Rule rule(arguments);
  const UpdateFactors factors(arguments, task.average != nullptr);
  BlockTree squares, absolutes;
  const size_t count = task.count;
  const size_t block = factors.has(kHasSquares) || (!plain && factors.has(kHasAbsolutes)) ? kReduceBlock : count;
  SquareLanes new_squares;
  for (size_t row = 0; row < task.row_count; ++row) {
    if (row + kRowsFetched < task.known) {
      prefetch_row<states, plain>(task, static_cast<size_t>(task.rows[row + kRowsFetched]));
    }
    const bool flowing = task.flows != nullptr;
    if (flowing) rows_sum_one(*task.flows, row, task.room);
    const UpdateSpan<states> span =
        span_of<states>(task, task.rows == nullptr ? 0 : static_cast<size_t>(task.rows[row]), flowing ? 0 : row);
    for (size_t begin = 0; begin < count; begin += block) {
      const size_t end = smaller_of(count, begin + block);
      UpdateLanes lanes;
      size_t i = begin;
      for (; i + group <= end; i += group) {
        if (arguments.ahead != 0) {
          CARILLON_UNROLL
          for (size_t line = 0; line < group; line += kLine) prefetch_span<plain>(span, i + arguments.ahead + line);
        }
        constexpr bool same = kRegisters <= kTogether;  // registers of every group
        const size_t first = same ? 0 : (i - begin) / F::N % kRegisters;
        update_vectors<Rule, states, plain, true, kTogether>(rule, factors, span, i, F::N, lanes, first);
      }
      if constexpr (group > 1) {
        for (size_t r = (i - begin) / F::N % kRegisters; i < end; ++r, i += F::N) {
          update_vectors<Rule, states, plain, false, 1>(rule, factors, span, i, smaller_of(F::N, end - i), lanes, r);
        }
      }
      if (factors.has(kHasSquares)) push_block(squares, lanes.squares);
      if (!plain && factors.has(kHasAbsolutes)) push_block(absolutes, lanes.absolutes);
    }
    if (task.new_squares != nullptr) new_squares.add_row(span.parameters, count);
  }
  if (task.new_squares != nullptr) *task.new_squares = new_squares.total();
  return {squares.total(), absolutes.total()};
}

template <class Rule, size_t states>
UpdateSums update(const UpdateTask& task, const UpdateArguments& u) {
  if constexpr (Rule::bare) {
    const bool bare =
        !(u.clip_value < kInfinity) && u.l1 == 0.0f && u.decay == 0.0f && u.shrink == 0.0f && !u.absolutes;
    if (bare && task.average == nullptr) return update_rows<Rule, states, true>(task, u);
  }
  return update_rows<Rule, states, false>(task, u);
}
