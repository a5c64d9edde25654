// Walking over axes whose elements lie any distance apart.
#pragma once

#include <array>

#include "operation.h"

namespace carillon {

// Axes of one instruction at most, neighbours that lie alike counted as one.
inline constexpr size_t kMaxAxes = 32;

inline constexpr size_t kMostElements = std::numeric_limits<size_t>::max() / 64;

// Whether a·b is a number of elements that fits.
inline bool bounded_product(size_t a, size_t b) { return b == 0 || a <= kMostElements / b; }

// The places of `operands` arrays under axes with a stride for each of them, outermost first.
template <size_t operands>
class Odometer {
 public:
  using Strides = std::array<size_t, operands>;

  // At most kMaxAxes + 1 times.
  void add(size_t size, const Strides& strides) {
    axes_[rank_++] = {size, strides};
    count_ *= size;
  }

  size_t count() const { return count_; }

  // Calls visit(index, offsets) for the indices [begin, end) of [0, count()).
  template <typename Visit>
  void walk(size_t begin, size_t end, const Visit& visit) const {
    size_t index[kMaxAxes + 1] = {};
    Strides offsets{};
    size_t rest = begin;
    for (size_t axis = rank_; axis-- > 0;) {
      if (axes_[axis].size == 0) return;
      index[axis] = rest % axes_[axis].size;
      rest /= axes_[axis].size;
      for (size_t i = 0; i < operands; ++i) offsets[i] += index[axis] * axes_[axis].strides[i];
    }
    for (size_t at = begin; at < end; ++at) {
      visit(at, offsets);
      for (size_t axis = rank_; axis-- > 0;) {
        const Axis& along = axes_[axis];
        if (++index[axis] < along.size) {
          for (size_t i = 0; i < operands; ++i) offsets[i] += along.strides[i];
          break;
        }
        for (size_t i = 0; i < operands; ++i) offsets[i] -= (along.size - 1) * along.strides[i];
        index[axis] = 0;
      }
    }
  }

 private:
  struct Axis {
    size_t size;
    Strides strides;
  };
  std::array<Axis, kMaxAxes + 1> axes_{};
  size_t rank_ = 0;
  size_t count_ = 1;
};

}  // namespace carillon
