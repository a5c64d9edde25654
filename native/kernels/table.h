// The contract between the kernels (compiled once an ISA) and everything above them.
// One constexpr KernelTable an ISA; every entry computes the same bits in every table.
#pragma once

#include <cstddef>
#include <cstdint>

namespace carillon {

// ---- Elementwise -------------------------------------------------------------------------------------------

enum class Unary : int32_t {
#define X(name) name,
#include "unary.def"
#undef X
  count
};

enum class Binary : int32_t {
#define X(name) name,
#include "binary.def"
#undef X
  count
};

// x, y: [count]; y may be x.
using UnaryKernel = void (*)(const float* x, float* y, size_t count);

// a, b, y: [count]; y may be a or b.
struct BinaryKernels {
  void (*vector_vector)(const float* a, const float* b, float* y, size_t count);
  void (*vector_scalar)(const float* a, float b, float* y, size_t count);
  void (*scalar_vector)(float a, const float* b, float* y, size_t count);
};

// ---- Products ----------------------------------------------------------------------------------------------

enum class Activation : int32_t {
#define X(name) name,
#include "activations.def"
#undef X
  count
};

// c[m, n] = activation(op(a) · op(b) + bias), or c += op(a) · op(b) when `accumulate` (then no bias, identity).
// Element (i, p) of op(a) is a[i·a_row_stride + p·a_depth_stride].
// b is either [k, n] row-major with leading dimension b_stride, or packed by gemm_pack_f32 (b_packed).
// Each element is one FMA chain over p within chunks of kDepthChunk, chunks added in order, then bias, then activation;
// `accumulate` adds the finished sum to c last.
struct GemmArguments {
  const float* a;
  size_t a_row_stride;
  size_t a_depth_stride;
  const float* b;
  size_t b_stride;
  bool b_packed;
  float* c;
  size_t c_stride;
  size_t m;
  size_t n;
  size_t k;
  const float* bias;  // [n] or nullptr
  Activation activation;
  bool accumulate;
};

inline constexpr size_t kDepthChunk = 1024;

// ---- Randomness --------------------------------------------------------------------------------------------

// What a draw is for; the last counter word of Philox. Values are part of the numerics: never renumber.
enum class Purpose : uint32_t { dropout = 1, dropout_tie = 2, initializer = 3, shuffle = 4, split = 5, noise = 6 };

struct DropoutArguments {
  uint64_t seed;
  uint32_t step;
  uint32_t site;
  uint64_t threshold;  // keep where a 32-bit uniform < threshold; [0, 2^32]
  float scale;         // what kept elements are multiplied by
  float shift;         // what is added to them then; 0: nothing is added, so that −0 stays −0
  float dropped;       // what the others become
};

// y = x·(1 + deviation·n), n standard normal, a function of (seed, step, site, element index).
struct NoiseArguments {
  uint64_t seed;
  uint32_t step;
  uint32_t site;
  float deviation;
};

// ---- Optimizers --------------------------------------------------------------------------------------------

enum class Optimizer : int32_t {
#define X(name, states) name,
#include "optimizers.def"
#undef X
  count
};

inline constexpr size_t kUpdateBlock = 4096;  // elements a call at most; the unit of parallel work and of penalty sums
inline constexpr size_t kMaxStates = 3;

// Scalars of one update, the same for every element of a segment. In this order, for every rule:
//   g = gradient·gradient_scale; where clip_value is finite, g is clamped to ±clip_value (NaN passes)
//   where l2 != 0: g = fma(l2, θ, g); where l1 != 0: g = g + l1·sign(θ), sign(±0) = 0
//   where decay != 0 (decoupled, ηλ): θ = fnma(decay, θ, θ), which loses nothing of a small ηλ as 1 − ηλ would
//   the rule gives a direction d (and the denominator it divided by, or 1): θ = fma(−rate, d, θ)
//   where shrink != 0 (proximal L1): θ = sign(θ)·max(|θ| − threshold, 0), threshold = metric ? shrink/denominator :
//   shrink where there is an average: a = fma(average_keep, a, (1 − average_keep)·θ), flushed
struct UpdateArguments {
  float rate;            // η of this step, times the segment's scale
  float gradient_scale;  // clipping by norm, accumulation
  float clip_value;      // +inf: none
  float l2;
  float l1;
  float decay;         // ηλ of decoupled decay; 0: none
  float shrink;        // ηλ of the proximal step
  bool metric;         // the threshold in the rule's own metric
  bool squares;        // wanted: Σθ² of the old θ
  bool absolutes;      // wanted: Σ|θ| of the old θ
  bool far;            // the arrays lie outside the core's own cache: prefetch
  float average_keep;  // decay of the moving average
  float average_take;  // 1 − decay, rounded from double
  float rule[16];      // constants of the rule, then its scalars of this step; see optimizers-inl.h
};

// Sums over the block before the update (16-lane reductions of the contract), 0 where not wanted. They ride in the
// update's own pass.
struct UpdateSums {
  float squares;
  float absolutes;
};

// parameters, gradients, states[i], average: [count]; average may be nullptr.
using UpdateKernel = UpdateSums (*)(float* parameters, const float* gradients, float* const* states, float* average,
                                    size_t count, const UpdateArguments& arguments);

// ---- The table ---------------------------------------------------------------------------------------------

struct KernelTable {
  const char* name;
  size_t width;  // floats a vector

  UnaryKernel unary[static_cast<size_t>(Unary::count)];
  BinaryKernels binary[static_cast<size_t>(Binary::count)];

  void (*fill_f32)(float* y, float value, size_t count);
  // average[i] = fma(keep, average[i], take·x[i]), flushed: the moving average as the update kernels make it.
  void (*average_f32)(const float* x, float* average, size_t count, float keep, float take);
  // y[i] = float(x[i]) · scale
  void (*convert_u8_f32)(const uint8_t* x, float scale, float* y, size_t count);

  // Reductions of NUMERICS: 16 lanes, blocks of kReduceBlock elements, blocks combined by the binary-counter tree.
  float (*sum_f32)(const float* x, size_t count);
  float (*sum_squares_f32)(const float* x, size_t count);
  // y[c] = Σ_r x[r·columns + c] for c in [begin, end): a chain a column, restarted every kColumnBlock rows.
  void (*column_sum_f32)(const float* x, size_t rows, size_t columns, float* y, size_t begin, size_t end);

  // Rows of [rows, columns], contiguous.
  void (*softmax_f32)(const float* x, float* y, size_t rows, size_t columns);
  // y = (x − max) − log Σ exp(x − max)
  void (*log_softmax_f32)(const float* x, float* y, size_t rows, size_t columns);
  // losses[r] = log Σ_c exp(x[r,c] − max) − (x[r,label] − max)
  void (*softmax_cross_entropy_f32)(const float* x, const int32_t* labels, float* losses, size_t rows, size_t columns);
  // y = (softmax(x) − onehot(labels)) · g[r · g_stride]: the very roundings of softmax, subtract, multiply.
  void (*softmax_cross_entropy_gradient_f32)(const float* x, const int32_t* labels, const float* g, size_t g_stride,
                                             float* y, size_t rows, size_t columns);
  // losses and gradient of the two above, bit for bit, from one set of exponentials; `losses` may be nullptr, y may be
  // x
  void (*softmax_cross_entropy_both_f32)(const float* x, const int32_t* labels, const float* g, size_t g_stride,
                                         float* losses, float* y, size_t rows, size_t columns);
  // index of the first maximum of each row
  void (*argmax_f32)(const float* x, int32_t* y, size_t rows, size_t columns);

  // y[i] = keep(first_index + i) ? x[i]·scale + shift : dropped; y may be x.
  void (*dropout_f32)(const float* x, float* y, size_t count, uint64_t first_index, const DropoutArguments& arguments);
  // Bit i % 16 of bits[i / 16] = keep(first_index + i), first_index a multiple of 16; bits behind the last element are
  // 0. `scale`, `shift` and `dropped` are not read.
  void (*dropout_mask_bits)(uint16_t* bits, size_t count, uint64_t first_index, const DropoutArguments& arguments);
  // y[i] = x[i]·(1 + deviation·n(first_index + i)); y may be x.
  void (*noise_f32)(const float* x, float* y, size_t count, uint64_t first_index, const NoiseArguments& arguments);

  size_t gemm_columns;  // NR: width of a packed panel and of a column tile
  size_t gemm_rows;     // MR: largest row tile
  // b: [n, k] row-major with leading dimension b_stride (the transposed operand). Panel j holds columns
  // [j·NR, min(n, (j+1)·NR)) as k rows of NR floats, zero padded. packed: [ceil(n/NR)·NR · k].
  void (*gemm_pack_f32)(const float* b, size_t b_stride, size_t n, size_t k, size_t panel_begin, size_t panel_end,
                        float* packed);
  // Rows [row_begin, row_end), columns [column_begin, column_end) of c; column_begin is a multiple of NR.
  void (*gemm_f32)(const GemmArguments& arguments, size_t row_begin, size_t row_end, size_t column_begin,
                   size_t column_end);

  UpdateKernel update[static_cast<size_t>(Optimizer::count)];
};

inline constexpr size_t kReduceBlock = 1024;
inline constexpr size_t kColumnBlock = 128;

}  // namespace carillon
