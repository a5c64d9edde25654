// Activations with a share a unit, a dropout and a factor behind them, and their gradients.
#include <algorithm>
#include <cstring>

#include "operation.h"
#include "random.h"

namespace carillon {
namespace {

struct ParametricGradientAt {
  static constexpr Operands all{"g:f x:f share:f bend:f mask:i? dx:F dshare:F", ParametricAt::ints,
                                ParametricAt::doubles};
  static constexpr size_t g = all.view("g"), x = all.view("x"), share = all.view("share"), bend = all.view("bend"),
                          mask = all.view("mask"), dx = all.view("dx"), dshare = all.view("dshare");
};

// Elements that are worked on at once, so that they stay in the first-level cache; rows that are longer go in one.
constexpr size_t kAtOnce = 1024;

constexpr int64_t kWordBits = 32;   // of a word of a mask
constexpr uint64_t kDrawBits = 16;  // elements whose bits begin where those of a draw may

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

void need_mask(const Arguments& a, Requirements& r, size_t mask) {
  if (a.views[mask] == nullptr) return;
  if (a.ints[ParametricAt::site] < 0) return r.fail("a mask of no place");
  if (a.ints[ParametricAt::columns] % kWordBits != 0) return r.fail("a mask of rows of no whole words");
  r.need(mask, a.size(ParametricAt::rows), a.size(ParametricAt::columns) / kWordBits);
}

void check_parametric(const Arguments& a, Requirements& r) {
  check_common(a, r);
  for (const size_t view : {ParametricAt::x, ParametricAt::y, ParametricAt::bend})
    r.need(view, a.size(ParametricAt::rows), a.size(ParametricAt::columns));
  r.need(ParametricAt::share, a.size(ParametricAt::columns));
  need_mask(a, r, ParametricAt::mask);
}

void check_parametric_gradient(const Arguments& a, Requirements& r) {
  check_common(a, r);
  for (const size_t view :
       {ParametricGradientAt::g, ParametricGradientAt::x, ParametricGradientAt::bend, ParametricGradientAt::dx})
    r.need(view, a.size(ParametricAt::rows), a.size(ParametricAt::columns));
  for (const size_t view : {ParametricGradientAt::share, ParametricGradientAt::dshare})
    r.need(view, a.size(ParametricAt::columns));
  need_mask(a, r, ParametricGradientAt::mask);
}

// The mask and the factor behind an activation. `mask`: where its bits are, or nullptr.
class Behind {
 public:
  Behind(const Context& context, const Arguments& a, uint32_t* mask)
      : kernels_(context.kernels),
        masked_(a.ints[ParametricAt::site] >= 0),
        mask_(mask),
        first_(static_cast<uint64_t>(context.registers.batch_offset) * a.size(ParametricAt::example_rows) *
               a.size(ParametricAt::columns)),
        factor_(static_cast<float>(a.doubles[ParametricAt::factor])),
        drawn_(mask_of_step(context, a, ParametricAt::site, a.doubles[ParametricAt::keep],
                            a.doubles[ParametricAt::keep_scale])) {}

  // Draws the bits of elements [begin, end) to where they are kept: rows of whole words.
  void draw(size_t begin, size_t end) const {
    if (mask_ == nullptr || begin == end) return;
    kernels_.dropout_mask_bits(reinterpret_cast<uint16_t*>(mask_ + begin / kWordBits), end - begin, first_ + begin,
                               drawn_);
  }

  // Bits of at most kAtOnce elements that a kernel reads, from a draw's beginning on.
  struct Room {
    uint16_t bits[(kAtOnce + kDrawBits) / kDrawBits + 2];
  };

  // What stands behind the elements [at, at + count), whose bits come into `room`.
  ParametricBehind of(size_t at, size_t count, Room& room) const {
    if (!masked_) return {nullptr, 0, 1.0f, factor_};
    const auto* keep = reinterpret_cast<const uint8_t*>(room.bits);
    if (mask_ != nullptr) {
      std::memcpy(room.bits, mask_ + at / kWordBits, count / 8);
      return {keep, 0, drawn_.scale, factor_};
    }
    const uint64_t begin = (first_ + at) / kDrawBits * kDrawBits;
    const auto before = static_cast<size_t>(first_ + at - begin);
    kernels_.dropout_mask_bits(room.bits, before + count, begin, drawn_);
    return {keep, before, drawn_.scale, factor_};
  }

 private:
  const KernelTable& kernels_;
  bool masked_;
  uint32_t* mask_;
  uint64_t first_;
  float factor_;
  DropoutArguments drawn_;
};

ParametricBehind from(ParametricBehind behind, size_t element) {
  behind.bit += element;
  return behind;
}

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
  const Behind behind(context, a, a.view<uint32_t>(ParametricAt::mask));
  const auto* x = a.view<const float>(ParametricAt::x);
  const auto* share = a.view<const float>(ParametricAt::share);
  auto* y = a.view<float>(ParametricAt::y);
  auto* bend = a.view<float>(ParametricAt::bend);
  over_rows(context, a.size(ParametricAt::rows), columns, [&](size_t begin, size_t end) {
    behind.draw(begin * columns, end * columns);
    over_blocks(begin, end, columns, [&](size_t row, size_t rows, size_t column, size_t count) {
      Behind::Room room;
      const size_t first = row * columns + column;
      const ParametricBehind next = behind.of(first, rows * count, room);
      for (size_t r = 0; r < rows; ++r) {
        const size_t at = first + r * columns;
        kernels.row(x + at, share + column, y + at, bend == nullptr ? nullptr : bend + at, count,
                    from(next, r * count));
      }
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
  const Behind behind(context, a, a.view<uint32_t>(ParametricGradientAt::mask));
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
        Behind::Room room;
        const size_t first = row * columns + column;
        const ParametricBehind next = behind.of(first, many * count, room);
        for (size_t r = 0; r < many; ++r) {
          const size_t at = first + r * columns;
          kernels.gradient_row(g + at, x + at, share + column, bend + at, dx + at, chain + column, count,
                               from(next, r * count));
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
