// Sizes of convolutions and of the gradients of their weights.
#pragma once

#include "operation.h"
#include "windows.h"

namespace carillon {

// Where an instruction has them: images, height, …, groups.
inline constexpr size_t kConvSizes = 0;

struct ConvGeometry {
  size_t images, channels, outputs, groups;
  WindowAxis rows, columns;

  explicit ConvGeometry(const Arguments& a) {
    SizeReader read(a, kConvSizes);
    images = read.one();
    read.two(&WindowAxis::large, rows, columns);
    channels = read.one();
    read.two(&WindowAxis::small, rows, columns);
    outputs = read.one();
    read.two(&WindowAxis::kernel, rows, columns);
    read.two(&WindowAxis::stride, rows, columns);
    read.two(&WindowAxis::dilation, rows, columns);
    read.two(&WindowAxis::before, rows, columns);
    groups = read.one();
  }
  size_t large_size() const { return rows.large * columns.large * channels; }
  size_t small_size() const { return rows.small * columns.small * outputs; }
  size_t taps() const { return rows.kernel * columns.kernel; }
  size_t weights() const { return outputs * taps() * (channels / groups); }
  bool padded() const { return rows.padded() || columns.padded(); }
  // Every channel has one output of its own, whose sums are chains of one chunk: channels are walked as vectors.
  bool depthwise() const { return groups > 1 && groups == channels && groups == outputs && taps() <= kDepthChunk; }
  size_t flops() const { return 2 * images * rows.small * columns.small * weights(); }
};

inline void check_geometry(const ConvGeometry& g, Requirements& r) {
  check_axis(g.rows, r);
  check_axis(g.columns, r);
  if (g.channels < 1 || g.outputs < 1 || g.groups < 1 || g.channels > kMostSize || g.outputs > kMostSize) {
    return r.fail("a convolution of nothing");
  }
  if (!r.error.empty()) return;
  if (g.channels % g.groups != 0 || g.outputs % g.groups != 0) r.fail("groups that do not divide the channels");
  bounded({g.outputs, g.rows.kernel, g.columns.kernel, g.channels / g.groups}, r);
  bounded({g.rows.padded_size(), g.columns.padded_size(), g.channels}, r);
  bounded({g.rows.large, g.columns.large, g.channels}, r);
  bounded({g.rows.small, g.columns.small, g.outputs}, r);
}

}  // namespace carillon
