// The contract between the kernels (compiled once an ISA) and everything above them.
// One constexpr KernelTable an ISA; every entry computes the same bits in every table.
#pragma once

#include <cstddef>
#include <cstdint>

namespace carillon {

// How many floats ahead a pass over `bytes` bytes of `arrays` arrays, all read, asks for its cache lines: not at all
// where they fit into the core's own cache, further from memory than from the third level, and of all arrays together
// no more than 8 KB, which stay in the first level beside what is in use. Measured at 64 MB: on Zen 5 two arrays 71
// GB/s at 512 floats, 77 at 1,024, 76 at 1,536, 74 at 4,096 (at 8 MB 197, 179, 175); on Emerald Rapids five arrays
// (amsgrad) 0.99 to 1.01 of a loop that computes nothing at 256 to 768, 0.92 at 1,024.
inline constexpr size_t prefetch_distance(size_t bytes, size_t arrays) {
  if (bytes <= size_t{1} << 20) return 0;
  const size_t wanted = bytes <= size_t{32} << 20 ? 512 : 1024;
  const size_t together = 2048 / arrays;
  return wanted < together ? wanted : together;
}

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

inline constexpr size_t kDepthChunk = 1024;

enum class Backward : int32_t {
#define X(name) name,
#include "gates.def"
#undef X
  count
};

// One product as the kernels see it: t(i, j) = Σ_p left(i, p)·right(p, j), i in [0, rows), j in [0, columns).
// The elements of `left` are broadcast, those of `right` are loaded as vectors; c is [rows, columns], or with
// `transposed` [columns, rows]. Each element is one FMA chain over p within chunks of kDepthChunk, chunks added in
// order; then in this order, each a rounding of its own: + bias, activation, dropout, gate; or c + t where `accumulate`
// (k ≤ kDepthChunk then, and nothing else).
struct GemmTask {
  const float*
      left;  // element (i, p) at left[i·left_row_stride + p·left_depth_stride], or packed by gemm_pack_left_f32
  size_t left_row_stride;
  size_t left_depth_stride;
  // Not packed, where set: k is cut into segments of `segment_length` steps each, the first of which begins with its
  // step `segment_skip`, and step q of segment s begins at left[segments[s] + q·left_depth_stride].
  const ptrdiff_t* segments;
  size_t segment_length;
  size_t segment_skip;
  const float* right;  // row p at right + p·right_stride; or packed, by gemm_pack_right_f32
  size_t right_stride;
  size_t right_depth;  // of packed panels that have more steps than k: how many
  size_t right_gap;    // of packed panels, steps of them left out behind each segment
  float* block;        // room that gemm_f32 packs `group` panels of a chunk of k into, or nullptr: right as it is
  size_t group;        // panels that are walked at once, [1, …]
  // Lines behind the first: the same product of what lies so much further on, on the left and in c. Neither operand is
  // packed by the way.
  size_t more_lines;
  size_t left_line_stride;
  size_t c_line_stride;
  size_t rows;
  size_t columns;
  size_t k;
  float* c;
  size_t c_stride;
  const float* bias;  // one a column of c, or nullptr
  Activation activation;
  bool left_packed;
  bool right_packed;
  bool right_along_depth;  // not packed: element (p, j) at right[j·right_stride + p]
  bool transposed;
  bool accumulate;
  bool carried;  // chains go on from c: k ends the chunk that steps before began; neither transposed nor finished
  // Dropout of the finished c: bit `keep_offset + r·keep_stride + column` of `keep` (little-endian, readable three
  // bytes past its last) tells whether an element is kept; kept ones are multiplied by keep_scale, others are +0.
  const uint8_t* keep;
  size_t keep_offset;
  size_t keep_stride;
  float keep_scale;
  Backward backward;
  const float* gate_values;  // of the shape and stride of c
  float gate_scale;
};

// Gradients of the weights of a depthwise convolution: sums[t·sums_stride + j] = Σ x(p)[taps[t] + j]·g[p·g_stride + j]
// over places p, a chain each; x(p) as `left` of a product in segments of places, x_stride apart.
struct DepthwiseWeightTask {
  const float* x;
  const ptrdiff_t* segments;
  size_t segment_length;
  size_t segment_skip;
  size_t x_stride;
  const float* g;
  size_t g_stride;
  size_t places;
  const ptrdiff_t* taps;
  size_t tap_count;
  size_t channels;
  float* sums;  // rows of whole vectors
  size_t sums_stride;
};

// What a packed `left` holds before the chunk of k that begins at `begin`, a multiple of kDepthChunk; with begin = k
// rounded up it is the size of the whole.
inline constexpr size_t kLeftPadding = 16;
inline constexpr size_t gemm_left_chunk(size_t rows, size_t begin) {
  return rows * (begin + begin / kDepthChunk * kLeftPadding);
}

// The rows of `left` are cut evenly into tiles of at most `most` rows: 32 = 11 + 11 + 10, never 14 + 14 + 4.
inline constexpr size_t tiles_of(size_t rows, size_t most) { return (rows + most - 1) / most; }
inline constexpr size_t tile_begin(size_t rows, size_t tiles, size_t tile) {
  return tile * (rows / tiles) + (tile < rows % tiles ? tile : rows % tiles);
}

// ---- Sums of rows ------------------------------------------------------------------------------------------

// y[s·columns + c] = Σ factors[i]·x[rows[i]·stride + c] over the entries i of each of `sums` sums: one chain a column
// from +0, in order, by fma. Rows below 0 and the row `skipped` are left out.
struct RowsTask {
  const float* x;
  size_t stride;  // elements between two rows of x
  const int32_t* rows;
  const float* factors;   // nullptr: 1 for all, the bits of plain sums
  const int32_t* begins;  // [sums + 1]: the entries of sum s are [begins[s], begins[s + 1]); nullptr: `width` each
  size_t width;
  size_t sums;
  size_t known;  // entries that may be read: the rows of those behind the last sum come next
  int32_t skipped;
  float* y;
  size_t columns;
};
inline constexpr size_t kRowsFetched = 8;  // rows ahead that are asked for

// ---- Pools -------------------------------------------------------------------------------------------------

// Windows over one image [height, width, channels]: row r of a window at place i lies at i·stride + r − before, what
// lies outside is left out. Places are [rows, out_width, channels]. Of a gradient y is that of the image, and added to.
struct PoolTask {
  const float* x;
  const float* picked;  // of the shape of x
  const float* g;       // of the places
  float* y;
  size_t height, width, channels, out_width;
  size_t kernel_height, kernel_width, stride_height, stride_width, before_height, before_width;
  bool count_padding;  // a mean is divided by all elements of the window
  bool gated;          // what flows to an element that is not positive is 0
  bool apart;          // every element lies in one window: what flows to it is written, not added
};
using PoolKernel = void (*)(const PoolTask& task, size_t row_begin, size_t row_end);

// ---- Products of frozen weights ----------------------------------------------------------------------------

enum class WeightForm : int32_t {
#define X(name) name,
#include "forms.def"
#undef X
  count
};

// Bytes of a packed weight, and of the scale of an output.
struct FormBytes {
  size_t weight;
  size_t scale;
};
constexpr FormBytes form_bytes(WeightForm form) {
  switch (form) {
    case WeightForm::bf16:
      return {2, 0};
    case WeightForm::int8:
      return {1, sizeof(float)};
    default:
      return {sizeof(float), 0};
  }
}

// c = relu((x·Wᵀ)·scale + bias), each only where wanted, x: [rows, k], c: [rows, columns]. Each element is one FMA
// chain over p within chunks of kDepthChunk, chunks added in order, then the others, each a rounding of its own.
struct FrozenTask {
  const float* x;
  const unsigned char* weights;  // packed panels, aligned to 64 bytes
  const float* scales;           // one a column, or nullptr
  const float* bias;             // one a column, or nullptr
  float* c;
  size_t c_stride;
  size_t rows;
  size_t columns;
  size_t k;
  bool rectified;
};

// weights: element (p, j) at weights[j·stride + p] where `along_depth`, otherwise at weights[p·stride + j].
struct FrozenPacking {
  const float* weights;
  size_t stride;
  bool along_depth;
  size_t columns;
  size_t k;
  float* scales;  // a whole number of panels, or nullptr for a form without
  unsigned char* packed;
};

// ---- Randomness --------------------------------------------------------------------------------------------

// What a draw is for; the last counter word of Philox. Values are part of the numerics: never renumber.
enum class Purpose : uint32_t {
  dropout = 1,
  dropout_tie = 2,
  initializer = 3,
  shuffle = 4,
  split = 5,
  noise = 6,
  augment = 20,
  candidates = 30,
};

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

inline constexpr size_t kUpdateBlock = 4096;  // elements: the unit of parallel work, and of a call that sums penalties
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
  size_t ahead;        // prefetch_distance() of all arrays that the update walks
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

// Arrays of an update: of `count` elements, or rows of so many.
struct UpdateTask {
  float* parameters;
  const float* gradients;
  float* states[kMaxStates];  // as many as the rule has
  float* average;             // or nullptr
  size_t count;
  // Numbers of the rows that are updated, whose gradients lie one after another; nullptr: all is one row.
  const int32_t* rows = nullptr;
  size_t row_count = 1;
  size_t known = 0;  // numbers that may be read, at least `row_count`: their rows come next
  // Or the gradient of row i is the i-th of these sums, made in `room` just before: `gradients` is that then.
  const RowsTask* flows = nullptr;
  float* room = nullptr;
  // Receives Σ of the squares of the new rows, in any order of its terms; nullptr: that is not wanted.
  float* new_squares = nullptr;
};
using UpdateKernel = UpdateSums (*)(const UpdateTask& task, const UpdateArguments& arguments);

// ---- Normalization -----------------------------------------------------------------------------------------

// x, y: rows of `columns` elements; scale, shift: rows of as many, one for each of `groups` rows in turn, or nullptr.
struct RowNorm {
  const float* x;
  const float* scale;
  const float* shift;
  float* y;        // may be x
  float* mean;     // one a row, or nullptr: the mean is taken to be 0
  float* inverse;  // one a row, 1/√(variance + ε)
  size_t columns;
  size_t groups;
  float epsilon;
  size_t ahead;  // floats behind those at hand that are asked for, or 0
};

// Rows of x, g and dx begin `stride` elements apart; one mean and one inverse a row, `row_stride` apart. All have the
// same scale. Where flows and products are given, Σg and Σ g·n of these rows are added to them, a chain a column.
struct RowNormGradient {
  const float* x;
  const float* g;
  const float* scale;
  const float* mean;  // or nullptr
  const float* inverse;
  float* dx;  // may be g
  float* flows;
  float* products;
  size_t columns;
  size_t stride;
  size_t row_stride;
  size_t ahead;  // floats behind those at hand that are asked for, or 0
};

// Rows of x and g begin `stride` elements apart. center and inverse: one a row, `row_stride` apart; without an inverse
// one center a column. A row without a center has 0.
struct NormSums {
  const float* x;
  const float* g;
  size_t stride;
  const float* center;
  const float* inverse;
  size_t row_stride;
  float* flows;
  float* products;
};

// Rows of x, g and dx begin `stride` elements apart. center, offset, slope, factor: one a column.
struct ColumnNormGradient {
  const float* x;
  const float* g;
  size_t stride;
  const float* center;
  const float* offset;
  const float* slope;
  const float* factor;
  float* dx;  // may be g
  size_t columns;
};

// ---- Recurrence --------------------------------------------------------------------------------------------

enum class Cell : int32_t {
#define X(name) name,
#include "cells.def"
#undef X
  count
};

// One step of one row. Gates lie side by side, `hidden` each: of an LSTM i, f, g, o; of a GRU r and u at `reset` and
// `update`, n behind them, then what `gru` keeps of n's product, or `gru_before` of r·state; of an RNN one.
struct CellStep {
  float* gates;        // what the input gives; becomes what the gates are
  const float* t;      // what the state gives, in the same order; of gru_before r and u, then in the second phase n
  const float* bias;   // of a GRU: what is added to n's product, or nullptr
  float* h;            // the state, in place
  float* c;            // of an LSTM: its cell, in place
  float* cell;         // receives a copy of that
  float* y;            // receives a copy of h
  const float* mask;   // or nullptr
  float* fed;          // where there is a mask: h·mask, which the next product takes
  float* reset_state;  // gru_before: receives r·(h·mask), which n's product takes
  size_t hidden;
  size_t reset;
  size_t update;
};

// One step back. The flow to the state is `dh` plus, where t is given, t·mask (of a cell whose state reaches the next
// one by products alone: t·mask in its place), plus `dy`.
struct CellBack {
  float* gates;         // what they were; becomes the flow to what the input gave
  const float* t;       // product of the flow of the step behind, or nullptr
  const float* dy;      // or nullptr
  float* dh;            // of a GRU what reaches the state beside the products, in place
  float* dc;            // of an LSTM, in place
  const float* c;       // of an LSTM: its cell after the step
  const float* before;  // cell of an LSTM, state of a GRU before the step; nullptr: 0
  const float* mask;
  float* flow;  // receives what the product with the weight of the state takes
  size_t hidden;
  size_t reset;
  size_t update;
};

// ---- Periodic embeddings -----------------------------------------------------------------------------------

inline constexpr size_t kMostFrequencies = 256;

// Of each of `columns` numbers of a row, `mixes` sums of the waves cos(x·factor·frequency + phase) by weights.
struct PeriodicTask {
  const float* frequency;  // [columns, frequencies], as the phases
  const float* phase;
  const float* weight;  // [columns, mixes, frequencies]
  const float* bias;    // [columns, mixes]; gradients take none
  float factor;
  size_t columns;
  size_t frequencies;  // kMostFrequencies at most
  size_t mixes;
};
// Where the terms of their gradients are added, of the same shapes.
struct PeriodicChains {
  float* weight;
  float* phase;
  float* frequency;
};

// ---- Activations with a share a unit -----------------------------------------------------------------------

// What stands behind an activation: kept·scale or +0 of the elements from bit `bit` of `keep` on, which may be nullptr,
// then ·factor. Four bytes are read from where the first bit of a vector lies.
struct ParametricBehind {
  const uint8_t* keep;
  size_t bit;
  float scale;
  float factor;
};

struct ParametricKernels {
  // Of a row: bend = f(x) − x, unless that is nullptr, and y = x + bend·share, then what stands behind it.
  void (*row)(const float* x, const float* share, float* y, float* bend, size_t columns,
              const ParametricBehind& behind);
  // Of a row: flow = g back through what stands behind the activation; dx = (flow − flow·share) + (flow·share)·f′(x);
  // chain += flow·bend. dx may be any of the others but the chain.
  void (*gradient_row)(const float* g, const float* x, const float* share, const float* bend, float* dx, float* chain,
                       size_t columns, const ParametricBehind& behind);
};

// ---- Attention ---------------------------------------------------------------------------------------------

// Rows of scores `stride` apart: row r looks at its first min(most, ahead + r) columns, and those behind them up to
// `width` become 0.
struct AttentionRows {
  size_t rows;
  size_t stride;
  size_t ahead;
  size_t most;
  size_t width;
  size_t kept_stride;  // between the maxima, and the sums, of two rows
};

// c(r, j) = Σ left(r, s)·right(s, j) over the steps s of [0, steps) with r + delay ≤ s < r + ahead, in order, one chain
// an element, which goes on from c where it is carried.
struct AttentionProduct {
  const float* left;  // element (r, s) at r·left_row_stride + s·left_step_stride
  size_t left_row_stride;
  size_t left_step_stride;
  const float* right;  // row s at right + s·right_stride
  size_t right_stride;
  float* c;         // rows of whole groups of 16 floats
  size_t c_stride;  // a multiple of 16
  size_t rows;
  size_t columns;
  size_t steps;
  ptrdiff_t delay;
  ptrdiff_t ahead;
  bool carried;
};

// ---- The table ---------------------------------------------------------------------------------------------

struct KernelTable {
  const char* name;
  size_t width;  // floats a vector

  UnaryKernel unary[static_cast<size_t>(Unary::count)];
  BinaryKernels binary[static_cast<size_t>(Binary::count)];

  // y[i] = operands[0][i] ≠ 0 ? operands[1][i] : operands[2][i], NaN ≠ 0; an operand that is not `full` has one element
  // for all. y may be a full operand.
  void (*where_f32)(const float* const* operands, const bool* full, float* y, size_t count);
  // y[p·y_stride + c] = x[c·x_stride + p] for p in [0, rows), c in [0, columns); bits as they are.
  void (*transpose_f32)(const float* x, size_t x_stride, float* y, size_t y_stride, size_t rows, size_t columns);
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
  // The chains of every block of kColumnBlock rows by themselves: [blocks, columns].
  void (*column_block_sums_f32)(const float* x, size_t rows, size_t columns, float* sums);

  void (*rows_sum_f32)(const RowsTask& task);
  // Σ of the squares of `count` rows of `columns` elements, in any order: to see whether all of them are small.
  float (*rows_squares_f32)(const float* x, const int32_t* rows, size_t count, size_t columns);

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

  // Of rows [begin, end): mean = x₀ + Σ(x − x₀)/columns, inverse = 1/√(Σ(x − mean)²/columns + ε), y = fma(n, scale,
  // shift) with n = (x − mean)·inverse; sums in the order of sum_f32.
  void (*row_norm_f32)(const RowNorm& task, size_t begin, size_t end);
  // dx = ((p − a) − n·b)·inverse, p = g·scale, a = Σp/columns (0 without a mean), b = Σ(p·n)/columns.
  void (*row_norm_gradient_f32)(const RowNormGradient& task, size_t rows);
  // Added to chains of a column, rows in order: flows += g, products = fma(g, n, products), with n = (x −
  // center)·inverse, or x − center where there is no inverse.
  void (*norm_sums_f32)(const NormSums& task, size_t rows, size_t columns);
  // Added likewise: sums += x − center[c], or with `squared` its square by one fma; rows of x begin `stride` apart.
  void (*column_deviations_f32)(const float* x, size_t stride, size_t rows, size_t columns, const float* center,
                                bool squared, float* sums);
  // y = fma(x − center, factor, shift), each one a column; an absent center is 0, an absent shift −0. Rows of x and y
  // begin `stride` apart; y may be x.
  void (*column_norm_f32)(const float* x, size_t stride, size_t rows, size_t columns, const float* center,
                          const float* factor, const float* shift, float* y);
  // Of rows [begin, end): dx = ((g − offset) − (x − center)·slope)·factor
  void (*column_norm_gradient_f32)(const ColumnNormGradient& task, size_t begin, size_t end);

  // A step of one row by Cell, and back; of gru_before the part in front of the second product, in both directions the
  // other one stands by itself.
  void (*cell_step[static_cast<size_t>(Cell::count)])(const CellStep& step);
  void (*cell_back[static_cast<size_t>(Cell::count)])(const CellBack& step);
  void (*gru_candidate)(const CellStep& step);
  void (*gru_reset_back)(const CellBack& step);
  // Rows of x: [rows, columns] and y: [rows, columns·mixes], contiguous.
  void (*periodic_f32)(const PeriodicTask& task, const float* x, float* y, size_t rows);
  // Adds the terms of all rows to the chains of the columns [begin, end); g is what flows back to y.
  void (*periodic_gradient_f32)(const PeriodicTask& task, const PeriodicChains& chains, const float* x, const float* g,
                                size_t rows, size_t begin, size_t end);

  ParametricKernels parametric_selu;
  ParametricKernels parametric_mish;

  // y[i] = keep(first_index + i) ? x[i]·scale + shift : dropped; y may be x.
  void (*dropout_f32)(const float* x, float* y, size_t count, uint64_t first_index, const DropoutArguments& arguments);
  // Bit i % 16 of bits[i / 16] = keep(first_index + i), first_index a multiple of 16; bits behind the last element are
  // 0. `scale`, `shift` and `dropped` are not read.
  void (*dropout_mask_bits)(uint16_t* bits, size_t count, uint64_t first_index, const DropoutArguments& arguments);
  // y[i] = x[i]·(1 + deviation·n(first_index + i)); y may be x.
  void (*noise_f32)(const float* x, float* y, size_t count, uint64_t first_index, const NoiseArguments& arguments);
  // words[i] = word 0 of Philox of the counter (first + i, epoch, 0, Purpose::shuffle) under the key `seed`.
  void (*shuffle_words)(uint32_t* words, size_t count, uint32_t first, uint64_t seed, uint32_t epoch);

  // A product over segments whose columns are channels, each with a `left` of its own: element (i, p, j) of it at
  // left[i·left_row_stride + segments[p] + j], `right` rows of whole vectors; k up to kDepthChunk. c is finished.
  void (*depthwise_f32)(const GemmTask& task);
  void (*depthwise_weight_f32)(const DepthwiseWeightTask& task);

  PoolKernel max_pool_f32;
  PoolKernel max_pool_picked_f32;
  PoolKernel max_pool_gradient_f32;
  PoolKernel average_pool_f32;
  PoolKernel average_pool_gradient_f32;

  size_t gemm_columns;  // NR: columns of a packed panel of `right`
  size_t gemm_rows;     // MR: rows of a tile of `left` at most
  size_t gemm_few;      // rows of `left` that gemm_few_f32 takes at most
  size_t gemm_group;    // columns of `right` that it takes at once
  // right: rows of k along p where `transposed` (element (p, j) at right[j·stride + p]), rows of `columns` otherwise.
  // Panel q holds columns [q·NR, (q + 1)·NR) as k rows of NR floats, zero padded. packed: [ceil(columns/NR)·NR·k].
  void (*gemm_pack_right_f32)(const float* right, size_t stride, bool transposed, size_t columns, size_t k,
                              size_t panel_begin, size_t panel_end, float* packed);
  // Chunk by chunk of kDepthChunk at gemm_left_chunk(). With depth_stride 1 plain rows, kLeftPadding floats apart more
  // than they are long, so that they do not fall on one set of the cache; otherwise tile t, the rows [begin, begin +
  // mr) of tile_begin(), as rows of mr floats, one a p, at begin·(length of the chunk).
  void (*gemm_pack_left_f32)(const float* left, size_t row_stride, size_t depth_stride, size_t rows, size_t k,
                             size_t tile_from, size_t tile_to, float* packed);
  // Tiles [tile_from, tile_to) of `left` times panels [panel_begin, panel_end) of `right`.
  void (*gemm_f32)(const GemmTask& task, size_t tile_from, size_t tile_to, size_t panel_begin, size_t panel_end);
  // The same where `left` has gemm_few rows at most and neither operand is packed along its vectors: element (p, j) of
  // right is at right[j·right_stride + p]. Columns [column_begin, column_end) of `right`, from a multiple of
  // gemm_group.
  void (*gemm_few_f32)(const GemmTask& task, size_t column_begin, size_t column_end);

  // s: scores to the softmax of what each row looks at; maxima and sums, where wanted, are kept for
  // attention_again_f32, which makes the same of them.
  void (*attention_softmax_f32)(float* s, const AttentionRows& rows, float* maxima, float* sums);
  void (*attention_again_f32)(float* s, const AttentionRows& rows, const float* maxima, const float* sums);
  // g becomes p·g − p·Σ(p·g), row by row.
  void (*attention_back_f32)(const float* p, float* g, const AttentionRows& rows);
  void (*attention_product_f32)(const AttentionProduct& task);

  // By WeightForm. Panels are those of gemm_pack_right_f32: [panel_begin, panel_end) of NR columns.
  size_t frozen_rows;    // rows of a tile of frozen_product at most
  size_t frozen_panels;  // panels that a tile of one row takes at once
  void (*frozen_product[static_cast<size_t>(WeightForm::count)])(const FrozenTask& task, size_t panel_begin,
                                                                 size_t panel_end);
  // c = relu(c·scale + bias) of columns [column_begin, column_end).
  void (*frozen_finish)(const FrozenTask& task, size_t column_begin, size_t column_end);
  // `rows` rows of NR weights as f32, int8 without the scale.
  void (*frozen_widen[static_cast<size_t>(WeightForm::count)])(const unsigned char* packed, size_t rows, float* out);
  void (*frozen_pack[static_cast<size_t>(WeightForm::count)])(const FrozenPacking& task, size_t panel_begin,
                                                              size_t panel_end);

  UpdateKernel update[static_cast<size_t>(Optimizer::count)];
};

inline constexpr size_t kReduceBlock = 1024;
inline constexpr size_t kColumnBlock = 128;

}  // namespace carillon
