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

// One window of `count` channels from `channel` on.
struct PoolWindow {
  const PoolTask& task;
  PoolSpan rows;
  PoolSpan columns;
  size_t channel;
  size_t count;

  CARILLON_INLINE size_t place(size_t r, size_t c) const {
    const size_t row = rows.at(r, task.before_height), column = columns.at(c, task.before_width);
    return (row * task.width + column) * task.channels + channel;
  }
};

// y of a window: the largest element, or the element of `picked` where the first largest of x stands.
template <bool picking>
CARILLON_INLINE F pool_largest(const PoolWindow& w) {
  F best = zero(), pick = zero();
  bool first = true;
  for (size_t r = w.rows.begin; r < w.rows.end; ++r) {
    for (size_t c = w.columns.begin; c < w.columns.end; ++c) {
      const size_t place = w.place(r, c);
      const F x = load_part(w.task.x + place, w.count);
      const M takes = first ? first_lanes(F::N) : pool_takes(best, x);
      best = select(takes, x, best);
      if constexpr (picking) pick = select(takes, load_part(w.task.picked + place, w.count), pick);
      first = false;
    }
  }
  return picking ? pick : best;
}

// g goes to the first largest element of a window.
CARILLON_INLINE void pool_largest_gradient(const PoolWindow& w, F g) {
  F best = zero();
  U at = splat_u(0);
  uint32_t tap = 0;
  for (size_t r = w.rows.begin; r < w.rows.end; ++r) {
    for (size_t c = w.columns.begin; c < w.columns.end; ++c, ++tap) {
      const F x = load_part(w.task.x + w.place(r, c), w.count);
      const M takes = tap == 0 ? first_lanes(F::N) : pool_takes(best, x);
      best = select(takes, x, best);
      at = select(takes, splat_u(tap), at);
    }
  }
  tap = 0;
  for (size_t r = w.rows.begin; r < w.rows.end; ++r) {
    for (size_t c = w.columns.begin; c < w.columns.end; ++c, ++tap) {
      float* const to = w.task.y + w.place(r, c);
      const F before = load_part(to, w.count);
      store_part(to, select(equal(as_i(at), as_i(splat_u(tap))), add(before, g), before), w.count);
    }
  }
}

CARILLON_INLINE F pool_count(const PoolWindow& w) {
  const size_t inside = (w.rows.end - w.rows.begin) * (w.columns.end - w.columns.begin);
  return splat(static_cast<float>(w.task.count_padding ? w.task.kernel_height * w.task.kernel_width : inside));
}

CARILLON_INLINE F pool_average(const PoolWindow& w) {
  F sum = zero();
  for (size_t r = w.rows.begin; r < w.rows.end; ++r) {
    for (size_t c = w.columns.begin; c < w.columns.end; ++c) {
      sum = add(sum, load_part(w.task.x + w.place(r, c), w.count));
    }
  }
  return div(sum, pool_count(w));
}

CARILLON_INLINE void pool_average_gradient(const PoolWindow& w, F g) {
  const F each = div(g, pool_count(w));
  for (size_t r = w.rows.begin; r < w.rows.end; ++r) {
    for (size_t c = w.columns.begin; c < w.columns.end; ++c) {
      float* const to = w.task.y + w.place(r, c);
      store_part(to, add(load_part(to, w.count), each), w.count);
    }
  }
}

enum class PoolStep { largest, picked, average, largest_gradient, average_gradient };

// Rows [begin, end) of the places of one image.
template <PoolStep step>
void pool_rows(const PoolTask& task, size_t begin, size_t end) {
  for (size_t row = begin; row < end; ++row) {
    const PoolSpan rows(row, task.stride_height, task.kernel_height, task.before_height, task.height);
    for (size_t column = 0; column < task.out_width; ++column) {
      const PoolSpan columns(column, task.stride_width, task.kernel_width, task.before_width, task.width);
      const size_t place = (row * task.out_width + column) * task.channels;
      for (size_t c = 0; c < task.channels; c += F::N) {
        const size_t count = smaller_of(F::N, task.channels - c);
        const PoolWindow window{task, rows, columns, c, count};
        if constexpr (step == PoolStep::largest) store_part(task.y + place + c, pool_largest<false>(window), count);
        if constexpr (step == PoolStep::picked) store_part(task.y + place + c, pool_largest<true>(window), count);
        if constexpr (step == PoolStep::average) store_part(task.y + place + c, pool_average(window), count);
        if constexpr (step == PoolStep::largest_gradient) {
          pool_largest_gradient(window, load_part(task.g + place + c, count));
        }
        if constexpr (step == PoolStep::average_gradient) {
          pool_average_gradient(window, load_part(task.g + place + c, count));
        }
      }
    }
  }
}
