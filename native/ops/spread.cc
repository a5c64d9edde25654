// Elementwise operations of operands whose shapes differ by axes of 1: each operand has a stride an axis of the result,
// 0 where it is repeated. Axes come with neighbours that lie alike as one, the last one is walked by the kernels.
#include <algorithm>

#include "axes.h"

namespace carillon {
namespace {

struct BinarySpreadAt {
  static constexpr Operands all{"a:f b:f y:F",
                                "outer:d function:binary stride_a:i stride_b:i axes*(size,stride_a,stride_b)", ""};
  static constexpr size_t a = all.view("a"), b = all.view("b"), y = all.view("y");
  static constexpr size_t outer = all.integer("outer"), function = all.integer("function"),
                          first_stride = all.integer("stride_a");
};
struct WhereAt {
  static constexpr Operands all{"condition:f a:f b:f y:F",
                                "outer:d stride_condition:i stride_a:i stride_b:i "
                                "axes*(size,stride_condition,stride_a,stride_b)",
                                ""};
  static constexpr size_t condition = all.view("condition"), a = all.view("a"), b = all.view("b"), y = all.view("y");
  static constexpr size_t outer = all.integer("outer"), first_stride = all.integer("stride_condition");
};

// Elements of the last axis that are a unit of work at most; a multiple of 16.
constexpr size_t kSegment = kLeastElements;

// The axes of an instruction: `outer` first, a stride of it for each of the first views, the `operands`, one behind
// another; then the items, a size and the strides.
template <typename At, size_t operands>
struct Axes {
  static constexpr size_t kFirst = At::first_stride;
  static constexpr size_t kItem = At::all.int_item;
  static constexpr size_t kItems = At::all.int_count;
  static_assert(kItem == 1 + operands && kItems == kFirst + operands && At::y == operands);

  static size_t count(const Arguments& a) { return 1 + (a.int_count - kItems) / kItem; }
  static int64_t size(const Arguments& a, size_t axis) {
    return axis == 0 ? a.ints[At::outer] : a.ints[kItems + (axis - 1) * kItem];
  }
  static int64_t stride(const Arguments& a, size_t axis, size_t operand) {
    return axis == 0 ? a.ints[kFirst + operand] : a.ints[kItems + (axis - 1) * kItem + 1 + operand];
  }

  // Elements of every operand, and of the result in view `operands`.
  static void check(const Arguments& a, Requirements& r) {
    if (count(a) > kMaxAxes) {
      r.fail("bad number of axes");
      return;
    }
    size_t total = 1;
    size_t last[operands] = {};
    for (size_t axis = 0; axis < count(a); ++axis) {
      const int64_t length = size(a, axis);
      if (length < (axis == 0 ? 0 : 1) || !bounded_product(total, static_cast<size_t>(length))) {
        r.fail("dimensions overflow");
        return;
      }
      total *= static_cast<size_t>(length);
      for (size_t i = 0; i < operands; ++i) {
        const int64_t step = stride(a, axis, i);
        if (step < 0 || (axis + 1 == count(a) && step > 1)) {
          r.fail("bad stride");
          return;
        }
        if (length > 0) last[i] += static_cast<size_t>(length - 1) * static_cast<size_t>(step);
        if (last[i] >= kMostElements) {
          r.fail("dimensions overflow");
          return;
        }
      }
    }
    for (size_t i = 0; i < operands; ++i) r.need(i, total == 0 ? 0 : last[i] + 1);
    r.need(operands, total);
  }

  // Calls row(offsets, offset of the result, count) over pieces of the last axis.
  template <typename Row>
  static void run(const Context& context, const Arguments& a, const Row& row) {
    const size_t axes = count(a);
    const auto columns = static_cast<size_t>(size(a, axes - 1));
    Odometer<operands> rows;
    for (size_t axis = 0; axis + 1 < axes; ++axis) {
      typename Odometer<operands>::Strides strides;
      for (size_t i = 0; i < operands; ++i) strides[i] = static_cast<size_t>(stride(a, axis, i));
      rows.add(static_cast<size_t>(size(a, axis)), strides);
    }
    std::array<size_t, operands> steps;
    for (size_t i = 0; i < operands; ++i) steps[i] = static_cast<size_t>(stride(a, axes - 1, i));
    const size_t pieces = (columns + kSegment - 1) / kSegment;
    const size_t units = rows.count() * pieces;
    const size_t unit = std::min(columns, kSegment);
    const size_t chunks = std::min(std::max<size_t>(units, 1), context.parallel.chunks(units * unit, kLeastElements));
    context.parallel.run(chunks, [&](size_t chunk) {
      const size_t from = units * chunk / chunks, to = units * (chunk + 1) / chunks;
      if (from == to) return;
      rows.walk(from / pieces, (to + pieces - 1) / pieces, [&](size_t at, std::array<size_t, operands> offsets) {
        const size_t begin = (at * pieces < from ? from - at * pieces : 0) * kSegment;
        const size_t end = std::min(columns, (to - at * pieces) * kSegment);
        for (size_t i = 0; i < operands; ++i) offsets[i] += begin * steps[i];
        row(offsets, at * columns + begin, end - begin);
      });
    });
  }
};

using BinaryAxes = Axes<BinarySpreadAt, 2>;

void check_binary_spread(const Arguments& a, Requirements& r) {
  if (a.ints[BinarySpreadAt::function] < 0 || a.ints[BinarySpreadAt::function] >= static_cast<int64_t>(Binary::count))
    r.fail("no such function");
  BinaryAxes::check(a, r);
}

void run_binary_spread(const Context& context, const Arguments& arguments) {
  const BinaryKernels& kernels = context.kernels.binary[arguments.size(BinarySpreadAt::function)];
  const auto* a = arguments.view<const float>(BinarySpreadAt::a);
  const auto* b = arguments.view<const float>(BinarySpreadAt::b);
  auto* y = arguments.view<float>(BinarySpreadAt::y);
  const size_t last = BinaryAxes::count(arguments) - 1;
  const bool full_a = BinaryAxes::stride(arguments, last, 0) != 0;
  const bool full_b = BinaryAxes::stride(arguments, last, 1) != 0;
  BinaryAxes::run(context, arguments, [&](const std::array<size_t, 2>& offsets, size_t at, size_t count) {
    const float* p = a + offsets[0];
    const float* q = b + offsets[1];
    if (full_a && full_b) {
      kernels.vector_vector(p, q, y + at, count);
    } else if (full_a) {
      kernels.vector_scalar(p, *q, y + at, count);
    } else if (full_b) {
      kernels.scalar_vector(*p, q, y + at, count);
    } else {
      float value = 0;
      kernels.vector_scalar(p, *q, &value, 1);
      context.kernels.fill_f32(y + at, value, count);
    }
  });
}

// y = condition ≠ 0 ? a : b; NaN is not 0.
using WhereAxes = Axes<WhereAt, 3>;

void check_where(const Arguments& a, Requirements& r) { WhereAxes::check(a, r); }

void run_where(const Context& context, const Arguments& arguments) {
  const auto* condition = arguments.view<const float>(WhereAt::condition);
  const auto* a = arguments.view<const float>(WhereAt::a);
  const auto* b = arguments.view<const float>(WhereAt::b);
  auto* y = arguments.view<float>(WhereAt::y);
  const size_t last = WhereAxes::count(arguments) - 1;
  std::array<bool, 3> full;
  for (size_t i = 0; i < full.size(); ++i) full[i] = WhereAxes::stride(arguments, last, i) != 0;
  WhereAxes::run(context, arguments, [&](const std::array<size_t, 3>& offsets, size_t at, size_t count) {
    const float* const operands[3] = {condition + offsets[0], a + offsets[1], b + offsets[2]};
    context.kernels.where_f32(operands, full.data(), y + at, count);
  });
}

}  // namespace

constinit const Operation op_binary_spread{"binary_spread", BinarySpreadAt::all, true, check_binary_spread,
                                           nullptr,         run_binary_spread};
constinit const Operation op_where{"where", WhereAt::all, true, check_where, nullptr, run_where};

}  // namespace carillon
