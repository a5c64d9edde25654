// Pools: windows over images [height, width, channels], channels as vectors. Padding is left out.

// Taps of a window that lie inside an axis: [begin, end), and where the first would be.
struct PoolSpan {
  size_t begin;
  size_t end;
  size_t origin;  // place of tap 0, less what stands before

  CARILLON_INLINE PoolSpan(size_t place, size_t stride, size_t kernel, size_t before, size_t size)
      : origin(place * stride) {
    begin = origin < before ? before - origin : 0;
    const size_t beyond = size + before - origin;  // every window begins before the end
    end = beyond < kernel ? beyond : kernel;
  }
  CARILLON_INLINE size_t at(size_t tap, size_t before) const { return origin + tap - before; }
};

// Whether x takes the place of the largest so far: it is larger, or the first NaN.
CARILLON_INLINE M pool_takes(F best, F x) {
  return either(less(best, x), both(unordered(x, x), flip(unordered(best, best))));
}

// One window of the `count` channels from `channel` on; `whole`: they are N. `side`: it has so many rows and
// columns, or 0.
template <bool whole, size_t side = 0>
struct PoolWindow {
  const PoolTask& task;
  PoolSpan rows;
  PoolSpan columns;
  size_t channel;
  size_t count;

  // Of its first element, and from a row to the next.
  CARILLON_INLINE size_t first() const {
    const size_t row = rows.at(rows.begin, task.before_height), column = columns.at(columns.begin, task.before_width);
    return (row * task.width + column) * task.channels + channel;
  }
  CARILLON_INLINE size_t pitch() const { return task.width * task.channels; }
  CARILLON_INLINE size_t height() const { return side != 0 ? side : rows.end - rows.begin; }
  CARILLON_INLINE size_t width() const { return side != 0 ? side : columns.end - columns.begin; }
  CARILLON_INLINE F load(const float* p) const { return load_some<whole>(p, count); }
  CARILLON_INLINE void store(float* p, F x) const { store_some<whole>(p, x, count); }
};

// The first largest of the elements that it has seen, the number of its tap, and where `picking` the element of
// `picked` that stands there.
template <bool picking, bool whole, size_t side>
struct PoolBest {
  const PoolWindow<whole, side>& w;
  F x, pick;
  U at;

  CARILLON_INLINE explicit PoolBest(const PoolWindow<whole, side>& window)
      : w(window), x(zero()), pick(zero()), at(splat_u(0)) {
    size_t line = w.first();
    if constexpr (side == 2) {
      const size_t below = line + w.pitch(), step = w.task.channels;
      take(0, line);
      take(1, line + step);
      take(2, below);
      take(3, below + step);
    } else {
      uint32_t tap = 0;
      for (size_t r = 0; r < w.height(); ++r, line += w.pitch()) {
        size_t place = line;
        for (size_t c = 0; c < w.width(); ++c, ++tap, place += w.task.channels) take(tap, place);
      }
    }
  }

  CARILLON_INLINE void take(uint32_t tap, size_t place) {
    const F value = w.load(w.task.x + place);
    const M takes = tap == 0 ? first_lanes(F::N) : pool_takes(x, value);
    x = select(takes, value, x);
    at = select(takes, splat_u(tap), at);
    if constexpr (picking) pick = select(takes, w.load(w.task.picked + place), pick);
  }
};

// y of a window: the largest element, or the element of `picked` where the first largest of x stands.
template <bool picking, bool whole, size_t side>
CARILLON_INLINE F pool_largest(const PoolWindow<whole, side>& w) {
  const PoolBest<picking, whole, side> best(w);
  return picking ? best.pick : best.x;
}

// What flows to tap `tap`, at `to`: g where it is the first largest.
template <bool apart, bool whole, size_t side>
CARILLON_INLINE void pool_flow(const PoolWindow<whole, side>& w, U at, uint32_t tap, F g, float* to) {
  const M here = equal(as_i(at), as_i(splat_u(tap)));
  if constexpr (apart) {
    // Added to +0, as it would be.
    w.store(to, select(here, add(zero(), g), zero()));
  } else {
    const F before = w.load(to);
    w.store(to, select(here, add(before, g), before));
  }
}

template <bool apart, bool whole, size_t side>
CARILLON_INLINE void pool_flows(const PoolWindow<whole, side>& w, U at, F g) {
  float* line = w.task.y + w.first();
  if constexpr (side == 2) {
    float* const below = line + w.pitch();
    const size_t step = w.task.channels;
    pool_flow<apart>(w, at, 0, g, line);
    pool_flow<apart>(w, at, 1, g, line + step);
    pool_flow<apart>(w, at, 2, g, below);
    pool_flow<apart>(w, at, 3, g, below + step);
  } else {
    uint32_t tap = 0;
    for (size_t r = 0; r < w.height(); ++r, line += w.pitch()) {
      float* to = line;
      for (size_t c = 0; c < w.width(); ++c, ++tap, to += w.task.channels) pool_flow<apart>(w, at, tap, g, to);
    }
  }
}

// g goes to the first largest element of a window, where that is positive if the task is gated.
template <bool whole, size_t side>
CARILLON_INLINE void pool_largest_gradient(const PoolWindow<whole, side>& w, F g) {
  const PoolBest<false, whole, side> best(w);
  if (w.task.gated) g = select(less(zero(), best.x), g, zero());
  if (w.task.apart) {
    pool_flows<true>(w, best.at, g);
  } else {
    pool_flows<false>(w, best.at, g);
  }
}

template <bool whole, size_t side>
CARILLON_INLINE F pool_count(const PoolWindow<whole, side>& w) {
  const size_t inside = w.height() * w.width();
  return splat(static_cast<float>(w.task.count_padding ? w.task.kernel_height * w.task.kernel_width : inside));
}

template <bool whole, size_t side>
CARILLON_INLINE F pool_average(const PoolWindow<whole, side>& w) {
  F sum = zero();
  size_t line = w.first();
  for (size_t r = 0; r < w.height(); ++r, line += w.pitch()) {
    size_t place = line;
    for (size_t c = 0; c < w.width(); ++c, place += w.task.channels) {
      sum = add(sum, w.load(w.task.x + place));
    }
  }
  return div(sum, pool_count(w));
}

template <bool whole, size_t side>
CARILLON_INLINE void pool_average_gradient(const PoolWindow<whole, side>& w, F g) {
  const F each = div(g, pool_count(w));
  size_t line = w.first();
  for (size_t r = 0; r < w.height(); ++r, line += w.pitch()) {
    float* to = w.task.y + line;
    for (size_t c = 0; c < w.width(); ++c, to += w.task.channels) w.store(to, add(w.load(to), each));
  }
}

enum class PoolStep { largest, picked, average, largest_gradient, average_gradient };

// The window of place `place` of the windows, in the channels from w.channel on.
template <PoolStep step, bool whole, size_t side>
CARILLON_INLINE void pool_window(const PoolWindow<whole, side>& w, size_t place) {
  const PoolTask& task = w.task;
  const size_t at = place * task.channels + w.channel;
  if constexpr (step == PoolStep::largest) w.store(task.y + at, pool_largest<false>(w));
  if constexpr (step == PoolStep::picked) w.store(task.y + at, pool_largest<true>(w));
  if constexpr (step == PoolStep::average) w.store(task.y + at, pool_average(w));
  if constexpr (step == PoolStep::largest_gradient) pool_largest_gradient(w, w.load(task.g + at));
  if constexpr (step == PoolStep::average_gradient) pool_average_gradient(w, w.load(task.g + at));
}

// All channels of a place.
template <PoolStep step, size_t side>
CARILLON_INLINE void pool_place(const PoolTask& task, const PoolSpan& rows, const PoolSpan& columns, size_t place) {
  size_t c = 0;
  for (; c + F::N <= task.channels; c += F::N) {
    pool_window<step>(PoolWindow<true, side>{task, rows, columns, c, F::N}, place);
  }
  if (c < task.channels) {
    pool_window<step>(PoolWindow<false>{task, rows, columns, c, task.channels - c}, place);
  }
}

// Rows [begin, end) of the places of one image.
template <PoolStep step>
void pool_rows(const PoolTask& task, size_t begin, size_t end) {
  constexpr size_t kSide = 2;  // of most windows: their walk is unrolled
  constexpr bool largest = step == PoolStep::largest || step == PoolStep::largest_gradient;
  for (size_t row = begin; row < end; ++row) {
    const PoolSpan rows(row, task.stride_height, task.kernel_height, task.before_height, task.height);
    for (size_t column = 0; column < task.out_width; ++column) {
      const PoolSpan columns(column, task.stride_width, task.kernel_width, task.before_width, task.width);
      const size_t place = row * task.out_width + column;
      if (largest && rows.end - rows.begin == kSide && columns.end - columns.begin == kSide) {
        pool_place<step, kSide>(task, rows, columns, place);
      } else {
        pool_place<step, 0>(task, rows, columns, place);
      }
    }
  }
}
