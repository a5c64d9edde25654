// Taps of convolutions: which places of the source a place of the target reads, in the order in which they are added.
#pragma once

#include <numeric>

#include "convolution.h"

namespace carillon {

// Taps of one axis, in the order in which they are added, as places of the source at place 0: first, first + step, ….
struct Taps {
  size_t count = 0;
  ptrdiff_t first = 0;
  size_t step = 0;
  size_t kernel_first = 0;  // the row of the kernel of the first of them
  ptrdiff_t kernel_step = 0;

  // The row of the kernel of a tap.
  size_t kernel(size_t tap) const {
    return static_cast<size_t>(static_cast<ptrdiff_t>(kernel_first) + static_cast<ptrdiff_t>(tap) * kernel_step);
  }
};

// Taps of a convolution.
inline Taps taps_of(const WindowAxis& axis) {
  return {axis.kernel, -static_cast<ptrdiff_t>(axis.before), axis.dilation, 0, 1};
}

// Those of a transposed one that reach places `phase`, `phase` + stride, … of large, places of small ascending: rows of
// the kernel descending.
inline Taps transposed_taps(const WindowAxis& axis, size_t phase) {
  const auto stride = static_cast<ptrdiff_t>(axis.stride), dilation = static_cast<ptrdiff_t>(axis.dilation);
  const auto at = static_cast<ptrdiff_t>(phase + axis.before);
  Taps taps;
  const size_t common = std::gcd(axis.stride, axis.dilation);
  taps.step = axis.dilation / common;
  taps.kernel_step = -static_cast<ptrdiff_t>(axis.stride / common);
  for (auto kernel = static_cast<ptrdiff_t>(axis.kernel) - 1; kernel >= 0; --kernel) {
    if ((at - kernel * dilation) % stride != 0) continue;
    if (taps.count++ != 0) continue;
    taps.first = (at - kernel * dilation) / stride;
    taps.kernel_first = static_cast<size_t>(kernel);
  }
  return taps;
}

// Places `phase`, `phase` + stride, … below `large`.
inline size_t places_of(const WindowAxis& axis, size_t phase) {
  return axis.large > phase ? (axis.large - phase + axis.stride - 1) / axis.stride : 0;
}

// Small as the source of a transposed convolution: its padding is that which any phase wants.
inline WindowAxis transposed_axis(const WindowAxis& axis) {
  ptrdiff_t lowest = 0, highest = static_cast<ptrdiff_t>(axis.small) - 1;
  for (size_t phase = 0; phase < std::min(axis.stride, axis.large); ++phase) {
    const Taps taps = transposed_taps(axis, phase);
    if (taps.count == 0) continue;
    const auto last = static_cast<ptrdiff_t>((taps.count - 1) * taps.step + places_of(axis, phase) - 1);
    lowest = std::min(lowest, taps.first);
    highest = std::max(highest, taps.first + last);
  }
  WindowAxis source{};
  source.large = axis.small;
  source.before = static_cast<size_t>(-lowest);
  // One window of the whole padded axis.
  source.small = source.stride = source.dilation = 1;
  source.kernel = static_cast<size_t>(highest - lowest + 1);
  return source;
}

struct Reach {
  WindowAxis rows, columns;
  bool padded() const { return rows.padded() || columns.padded(); }
};

inline Reach reach_of(const ConvGeometry& g, bool transposed) {
  if (!transposed) return {g.rows, g.columns};
  return {transposed_axis(g.rows), transposed_axis(g.columns)};
}

}  // namespace carillon
