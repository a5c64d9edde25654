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

// One window of the `count` channels from `channel` on; `whole`: they are N.
template <bool whole>
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
  CARILLON_INLINE F load(const float* p) const { return load_some<whole>(p, count); }
  CARILLON_INLINE void store(float* p, F x) const { store_some<whole>(p, x, count); }
};

// y of a window: the largest element, or the element of `picked` where the first largest of x stands.
template <bool picking, bool whole>
CARILLON_INLINE F pool_largest(const PoolWindow<whole>& w) {
  F best = zero(), pick = zero();
  bool first = true;
  size_t line = w.first();
  for (size_t r = w.rows.begin; r < w.rows.end; ++r, line += w.pitch()) {
    size_t place = line;
    for (size_t c = w.columns.begin; c < w.columns.end; ++c, place += w.task.channels) {
      const F x = w.load(w.task.x + place);
      const M takes = first ? first_lanes(F::N) : pool_takes(best, x);
      best = select(takes, x, best);
      if constexpr (picking) pick = select(takes, w.load(w.task.picked + place), pick);
      first = false;
    }
  }
  return picking ? pick : best;
}

// g goes to the first largest element of a window, where that is positive if the task is gated.
template <bool whole>
CARILLON_INLINE void pool_largest_gradient(const PoolWindow<whole>& w, F g) {
  const PoolTask& task = w.task;
  F best = zero();
  U at = splat_u(0);
  uint32_t tap = 0;
  size_t line = w.first();
  for (size_t r = w.rows.begin; r < w.rows.end; ++r, line += w.pitch()) {
    size_t place = line;
    for (size_t c = w.columns.begin; c < w.columns.end; ++c, ++tap, place += task.channels) {
      const F x = w.load(task.x + place);
      const M takes = tap == 0 ? first_lanes(F::N) : pool_takes(best, x);
      best = select(takes, x, best);
      at = select(takes, splat_u(tap), at);
    }
  }
  if (task.gated) g = select(less(zero(), best), g, zero());
  // Added to +0 it is what an element of one window alone has.
  const F alone = add(zero(), g);
  tap = 0;
  line = w.first();
  for (size_t r = w.rows.begin; r < w.rows.end; ++r, line += w.pitch()) {
    float* to = task.y + line;
    for (size_t c = w.columns.begin; c < w.columns.end; ++c, ++tap, to += task.channels) {
      const M here = equal(as_i(at), as_i(splat_u(tap)));
      if (task.apart) {
        w.store(to, select(here, alone, zero()));
      } else {
        const F before = w.load(to);
        w.store(to, select(here, add(before, g), before));
      }
    }
  }
}

template <bool whole>
CARILLON_INLINE F pool_count(const PoolWindow<whole>& w) {
  const size_t inside = (w.rows.end - w.rows.begin) * (w.columns.end - w.columns.begin);
  return splat(static_cast<float>(w.task.count_padding ? w.task.kernel_height * w.task.kernel_width : inside));
}

template <bool whole>
CARILLON_INLINE F pool_average(const PoolWindow<whole>& w) {
  F sum = zero();
  size_t line = w.first();
  for (size_t r = w.rows.begin; r < w.rows.end; ++r, line += w.pitch()) {
    size_t place = line;
    for (size_t c = w.columns.begin; c < w.columns.end; ++c, place += w.task.channels) {
      sum = add(sum, w.load(w.task.x + place));
    }
  }
  return div(sum, pool_count(w));
}

template <bool whole>
CARILLON_INLINE void pool_average_gradient(const PoolWindow<whole>& w, F g) {
  const F each = div(g, pool_count(w));
  size_t line = w.first();
  for (size_t r = w.rows.begin; r < w.rows.end; ++r, line += w.pitch()) {
    float* to = w.task.y + line;
    for (size_t c = w.columns.begin; c < w.columns.end; ++c, to += w.task.channels) w.store(to, add(w.load(to), each));
  }
}

enum class PoolStep { largest, picked, average, largest_gradient, average_gradient };

// The window of place `place` of the windows, in the channels from w.channel on.
template <PoolStep step, bool whole>
CARILLON_INLINE void pool_window(const PoolWindow<whole>& w, size_t place) {
  const PoolTask& task = w.task;
  const size_t at = place * task.channels + w.channel;
  if constexpr (step == PoolStep::largest) w.store(task.y + at, pool_largest<false>(w));
  if constexpr (step == PoolStep::picked) w.store(task.y + at, pool_largest<true>(w));
  if constexpr (step == PoolStep::average) w.store(task.y + at, pool_average(w));
  if constexpr (step == PoolStep::largest_gradient) pool_largest_gradient(w, w.load(task.g + at));
  if constexpr (step == PoolStep::average_gradient) pool_average_gradient(w, w.load(task.g + at));
}

// Rows [begin, end) of the places of one image.
template <PoolStep step>
void pool_rows(const PoolTask& task, size_t begin, size_t end) {
  for (size_t row = begin; row < end; ++row) {
    const PoolSpan rows(row, task.stride_height, task.kernel_height, task.before_height, task.height);
    for (size_t column = 0; column < task.out_width; ++column) {
      const PoolSpan columns(column, task.stride_width, task.kernel_width, task.before_width, task.width);
      const size_t place = row * task.out_width + column;
      size_t c = 0;
      for (; c + F::N <= task.channels; c += F::N) {
        pool_window<step>(PoolWindow<true>{task, rows, columns, c, F::N}, place);
      }
      if (c < task.channels) {
        pool_window<step>(PoolWindow<false>{task, rows, columns, c, task.channels - c}, place);
      }
    }
  }
}
