// Activations with a share a unit, a dropout and a factor behind them, and their gradients.
#include <algorithm>
#include <cstring>

#include "operation.h"
#include "random.h"

namespace carillon {
namespace {

struct ParametricGradientAt {
  static constexpr Operands all{"g:f x:f share:f bend:f dx:F dshare:F", ParametricAt::ints, ParametricAt::doubles};
  static constexpr size_t g = all.view("g"), x = all.view("x"), share = all.view("share"), bend = all.view("bend"),
                          dx = all.view("dx"), dshare = all.view("dshare");
};

// Elements that are worked on at once, so that they stay in the first-level cache; rows that are longer go in one.
constexpr size_t kAtOnce = 1024;

// nullptr: no kernel has that function.
const ParametricKernels* kernels_of(const KernelTable& kernels, int64_t function) {
  if (function == static_cast<int64_t>(Unary::selu)) return &kernels.parametric_selu;
  if (function == static_cast<int64_t>(Unary::mish)) return &kernels.parametric_mish;
  return nullptr;
}

void check_common(const Arguments& a, Requirements& r) {
  const int64_t function = a.ints[ParametricAt::function];
  if (function != static_cast<int64_t>(Unary::selu) && function != static_cast<int64_t>(Unary::mish))
    r.fail("no such function");
  if (a.ints[ParametricAt::site] < -1 || a.ints[ParametricAt::example_rows] < 0) r.fail("bad place of a mask");
  if (a.ints[ParametricAt::lane] < 0) r.fail("no such schedule");
  if (!(a.doubles[ParametricAt::keep] >= 0 && a.doubles[ParametricAt::keep] <= 1)) r.fail("keep outside [0, 1]");
}

void check_parametric(const Arguments& a, Requirements& r) {
  check_common(a, r);
  for (const size_t view : {ParametricAt::x, ParametricAt::y, ParametricAt::bend})
    r.need(view, a.size(ParametricAt::rows), a.size(ParametricAt::columns));
  r.need(ParametricAt::share, a.size(ParametricAt::columns));
}

void check_parametric_gradient(const Arguments& a, Requirements& r) {
  check_common(a, r);
  for (const size_t view :
       {ParametricGradientAt::g, ParametricGradientAt::x, ParametricGradientAt::bend, ParametricGradientAt::dx})
    r.need(view, a.size(ParametricAt::rows), a.size(ParametricAt::columns));
  for (const size_t view : {ParametricGradientAt::share, ParametricGradientAt::dshare})
    r.need(view, a.size(ParametricAt::columns));
}

// The mask and the factor behind an activation.
class Behind {
 public:
  Behind(const Context& context, const Arguments& a)
      : kernels_(context.kernels),
        masked_(a.ints[ParametricAt::site] >= 0),
        first_(static_cast<uint64_t>(context.registers.batch_offset) * a.size(ParametricAt::example_rows) *
               a.size(ParametricAt::columns)),
        factor_(static_cast<float>(a.doubles[ParametricAt::factor])),
        mask_(mask_of_step(context, a, ParametricAt::site, a.doubles[ParametricAt::keep],
                           a.doubles[ParametricAt::keep_scale])) {}

  // Of `count` elements of y from the element `at` on: dropped, then multiplied.
  void forward(float* y, size_t at, size_t count) const {
    if (masked_) kernels_.dropout_f32(y, y, count, first_ + at, mask_);
    if (factor_ != 1.0f) multiply(y, y, count);
  }

  // What flows back through both: `room`, or g itself where there is neither.
  const float* backward(const float* g, float* room, size_t at, size_t count) const {
    const float* flow = g;
    if (factor_ != 1.0f) {
      multiply(g, room, count);
      flow = room;
    }
    if (!masked_) return flow;
    kernels_.dropout_f32(flow, room, count, first_ + at, mask_);
    return room;
  }

 private:
  void multiply(const float* x, float* y, size_t count) const {
    kernels_.binary[static_cast<size_t>(Binary::multiply)].vector_scalar(x, factor_, y, count);
  }

  const KernelTable& kernels_;
  bool masked_;
  uint64_t first_;
  float factor_;
  DropoutArguments mask_;
};

// Calls part(row, rows, column, columns) over rows [begin, end): whole rows, or stretches of one.
template <typename Part>
void over_blocks(size_t begin, size_t end, size_t columns, const Part& part) {
  if (columns == 0) return;
  const size_t together = std::max<size_t>(kAtOnce / columns, 1);
  for (size_t row = begin; row < end; row += together) {
    const size_t rows = std::min(together, end - row);
    for (size_t column = 0; column < columns; column += kAtOnce)
      part(row, rows, column, std::min(kAtOnce, columns - column));
  }
}

void run_parametric(const Context& context, const Arguments& a) {
  const size_t columns = a.size(ParametricAt::columns);
  const ParametricKernels& kernels = *kernels_of(context.kernels, a.ints[ParametricAt::function]);
  const Behind behind(context, a);
  const auto* x = a.view<const float>(ParametricAt::x);
  const auto* share = a.view<const float>(ParametricAt::share);
  auto* y = a.view<float>(ParametricAt::y);
  auto* bend = a.view<float>(ParametricAt::bend);
  over_rows(context, a.size(ParametricAt::rows), columns, [&](size_t begin, size_t end) {
    over_blocks(begin, end, columns, [&](size_t row, size_t rows, size_t column, size_t count) {
      const size_t first = row * columns + column;
      for (size_t r = 0; r < rows; ++r) {
        const size_t at = first + r * columns;
        kernels.row(x + at, share + column, y + at, bend == nullptr ? nullptr : bend + at, count);
      }
      behind.forward(y + first, first, rows * count);
    });
  });
}

size_t blocks_of(const Arguments& a) {
  return std::max<size_t>(1, (a.size(ParametricAt::rows) + kColumnBlock - 1) / kColumnBlock);
}

size_t scratch_parametric_gradient(const Arguments& a, const KernelTable& /*kernels*/) {
  return blocks_of(a) * a.size(ParametricAt::columns) * sizeof(float);
}

// Sums over rows in the order of column sums: chains of kColumnBlock rows from +0, blocks added in order.
void run_parametric_gradient(const Context& context, const Arguments& a) {
  const size_t rows = a.size(ParametricAt::rows), columns = a.size(ParametricAt::columns), blocks = blocks_of(a);
  const ParametricKernels& kernels = *kernels_of(context.kernels, a.ints[ParametricAt::function]);
  const Behind behind(context, a);
  const auto* g = a.view<const float>(ParametricGradientAt::g);
  const auto* x = a.view<const float>(ParametricGradientAt::x);
  const auto* share = a.view<const float>(ParametricGradientAt::share);
  const auto* bend = a.view<const float>(ParametricGradientAt::bend);
  auto* dx = a.view<float>(ParametricGradientAt::dx);
  auto* chains = static_cast<float*>(context.scratch);
  const size_t pieces = std::min(blocks, context.parallel.chunks(rows * columns, kLeastElements));
  context.parallel.run(pieces, [&](size_t piece) {
    for (size_t block = blocks * piece / pieces; block < blocks * (piece + 1) / pieces; ++block) {
      float* const chain = chains + block * columns;
      std::memset(chain, 0, columns * sizeof(float));
      const size_t end = std::min(rows, (block + 1) * kColumnBlock);
      over_blocks(block * kColumnBlock, end, columns, [&](size_t row, size_t many, size_t column, size_t count) {
        float room[kAtOnce];
        const size_t first = row * columns + column;
        const float* flow = behind.backward(g + first, room, first, many * count);
        for (size_t r = 0; r < many; ++r) {
          const size_t at = first + r * columns;
          kernels.gradient_row(flow + r * count, x + at, share + column, bend + at, dx + at, chain + column, count);
        }
      });
    }
  });
  auto* dshare = a.view<float>(ParametricGradientAt::dshare);
  std::memset(dshare, 0, columns * sizeof(float));
  for (size_t block = 0; block < blocks; ++block) {
    for (size_t i = 0; i < columns; ++i) dshare[i] += chains[block * columns + i];
  }
}

}  // namespace

constinit const Operation op_parametric{"parametric",     ParametricAt::all, false,
                                        check_parametric, nullptr,           run_parametric};
constinit const Operation op_parametric_gradient{
    "parametric_gradient",     ParametricGradientAt::all,   true,
    check_parametric_gradient, scratch_parametric_gradient, run_parametric_gradient};

}  // namespace carillon
