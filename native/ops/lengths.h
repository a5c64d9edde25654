// Lengths of sequences that are padded to one number of steps.
#pragma once

#include "operation.h"

namespace carillon {

// False, with the fault recorded, where a length is none.
inline bool lengths_fit(const Context& context, const int32_t* lengths, size_t rows, size_t steps) {
  if (lengths == nullptr) return true;
  for (size_t row = 0; row < rows; ++row) {
    if (lengths[row] >= 0 && static_cast<size_t>(lengths[row]) <= steps) continue;
    if (context.fault.what == nullptr) {
      context.fault = {"length", row, lengths[row], static_cast<int64_t>(steps) + 1};
    }
    return false;
  }
  return true;
}

}  // namespace carillon
