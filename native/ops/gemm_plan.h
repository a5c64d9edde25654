// How a product is computed: a function of its shape and of the kernels, which changes speed and never bits.
#pragma once

#include <cstddef>
#include <cstdint>

#include "operation.h"

namespace carillon {

// How b is given.
enum class Layout : int64_t {
#define X(name) name,
#include "layouts.def"
#undef X
  count
};

// c: [m, n] from a: [m, k], or [k, m] if it is transposed, and b.
struct GemmShape {
  size_t m, n, k;
  bool transpose_a;
  Layout layout_b;
  bool accumulate;
};

// One product [m, n, k] as the kernels will compute it; a function of the shape and the kernels alone.
struct GemmPlan {
  bool swapped;            // columns of c are the rows of `left`: rows of c become vectors
  bool few;                // by gemm_few_f32
  bool left_pack;          // packed before the product
  bool right_pack;         // likewise
  bool left_along_rows;    // elements of left of one p lie side by side
  bool right_along_depth;  // rows of right lie along k: element (p, j) at j·stride + p
  bool apart;              // computed into scratch, then added
  size_t rows;             // of left
  size_t columns;          // of right
  size_t left_floats;
  size_t right_floats;
  size_t apart_floats;
};

inline size_t round_up(size_t x, size_t unit) { return (x + unit - 1) / unit * unit; }

GemmPlan plan_of(const GemmShape& shape, const KernelTable& kernels);

// Floats of scratch that plan_of() may want for this product and for every smaller batch, whose plan may be another.
// The batch may be m or k.
size_t most_floats(const GemmShape& shape, const KernelTable& kernels);

}  // namespace carillon
