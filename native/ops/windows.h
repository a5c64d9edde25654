// Windows that slide over images: where they lie. `large`: [images, height, width, channels]; `small`: [images,
// out_height, out_width, …], one place a window. Row r of a window at place j of an axis lies at j·stride + r·dilation
// − before of `large`; what falls outside is padding.
#pragma once

#include <algorithm>
#include <cstring>
#include <string>

#include "operation.h"

namespace carillon {

// Sizes of an axis.
struct WindowAxis {
  size_t large, small, kernel, stride, dilation, before;

  // Elements behind the last of `large` that a window touches.
  size_t after() const {
    const size_t end = (small - 1) * stride + (kernel - 1) * dilation + 1;
    return end > before + large ? end - before - large : 0;
  }
  bool padded() const { return before != 0 || after() != 0; }
  size_t padded_size() const { return before + large + after(); }
};

// Reads integers of an instruction, one by one or of rows and columns.
class SizeReader {
 public:
  SizeReader(const Arguments& arguments, size_t first) : arguments_(arguments), at_(first) {}
  size_t one() { return arguments_.size(at_++); }
  void two(size_t WindowAxis::*size, WindowAxis& rows, WindowAxis& columns) {
    rows.*size = one();
    columns.*size = one();
  }

 private:
  const Arguments& arguments_;
  size_t at_;
};

// The most of a size or of a product of sizes, all of which are int32 words.
inline constexpr size_t kMostSize = size_t{1} << 31;

// The product of sizes, or a refusal.
inline size_t bounded(std::initializer_list<size_t> sizes, Requirements& r) {
  size_t product = 1;
  for (const size_t size : sizes) {
    if (size != 0 && product > kMostSize / size) {
      r.fail("dimensions overflow");
      return 0;
    }
    product *= size;
  }
  return product;
}

inline void check_axis(const WindowAxis& axis, Requirements& r) {
  for (const size_t size : {axis.large, axis.small, axis.kernel, axis.stride, axis.dilation}) {
    if (size < 1 || size > kMostSize) r.fail("windows of nothing");
  }
  if (axis.before > kMostSize) r.fail("bad padding");
  if (!r.error.empty()) return;
  bounded({axis.small, axis.stride}, r);
  bounded({axis.kernel, axis.dilation}, r);
}

// Rows [begin, end) of an image as they are with its padding of `value`: [end − begin, padded width, channels].
inline void pad_rows(const float* image, const WindowAxis& rows, const WindowAxis& columns, size_t channels,
                     size_t begin, size_t end, float* out) {
  const size_t pitch = columns.padded_size() * channels;
  const size_t left = columns.before * channels, inside = columns.large * channels;
  const size_t right = pitch - left - inside;
  for (size_t row = begin; row < end; ++row, out += pitch) {
    if (row < rows.before || row >= rows.before + rows.large) {
      std::memset(out, 0, pitch * sizeof(float));
      continue;
    }
    std::memset(out, 0, left * sizeof(float));
    std::memcpy(out + left, image + (row - rows.before) * inside, inside * sizeof(float));
    std::memset(out + left + inside, 0, right * sizeof(float));
  }
}

}  // namespace carillon
