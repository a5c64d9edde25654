// Elementwise operations, fills, copies and conversions.
#include <algorithm>
#include <cstring>

#include "operation.h"

namespace carillon {
namespace {

constexpr Operands kUnary{"x:f y:F", "count:d function:unary", ""};
constexpr Operands kBinary{"a:f b:f y:F", "rows:d columns:d function:binary spread_a:spreads spread_b:spreads", ""};
constexpr Operands kFill{"y:F", "count:d", "value"};
constexpr Operands kCopy{"x:f y:F", "count:d", ""};
constexpr Operands kConvert{"x:u y:F", "count:d", "scale"};
constexpr Operands kRowCount{"y:F", "", ""};
constexpr Operands kScheduleValue{"y:F", "lane:i", ""};
constexpr Operands kLogScalar{"x:f", "column:i", ""};

// Calls part(begin, end) over [0, count) in pieces that start at multiples of 16.
template <typename Part>
void over_elements(const Context& context, size_t count, const Part& part) {
  const size_t chunks = context.parallel.chunks(count, kLeastElements);
  const size_t step = ((count + chunks - 1) / chunks + 15) / 16 * 16;
  context.parallel.run(chunks, [&](size_t chunk) {
    const size_t begin = std::min(chunk * step, count);
    const size_t end = std::min(begin + step, count);
    if (begin < end) part(begin, end);
  });
}

void check_unary(const Arguments& a, Requirements& r) {
  if (a.ints[1] < 0 || a.ints[1] >= static_cast<int64_t>(Unary::count)) r.fail("no such function");
  r.need(0, a.size(0));
  r.need(1, a.size(0));
}

void run_unary(const Context& context, const Arguments& a) {
  const UnaryKernel kernel = context.kernels.unary[a.size(1)];
  const auto* x = a.view<const float>(0);
  auto* y = a.view<float>(1);
  over_elements(context, a.size(0), [&](size_t begin, size_t end) { kernel(x + begin, y + begin, end - begin); });
}

enum class Spread : int64_t {
#define X(name) name,
#include "spreads.def"
#undef X
  count
};

size_t spread_count(int64_t spread, size_t rows, size_t columns, Requirements& r) {
  switch (static_cast<Spread>(spread)) {
    case Spread::full:
      r.need(2, rows, columns);
      return r.counts[2];
    case Spread::scalar:
      return 1;
    case Spread::row:
      return columns;
    case Spread::column:
      return rows;
    case Spread::count:
      break;
  }
  r.fail("no such spread");
  return 0;
}

// ints: rows, columns, function, spread of a, spread of b
void check_binary(const Arguments& a, Requirements& r) {
  if (a.ints[2] < 0 || a.ints[2] >= static_cast<int64_t>(Binary::count)) r.fail("no such function");
  r.counts[0] = spread_count(a.ints[3], a.size(0), a.size(1), r);
  r.counts[1] = spread_count(a.ints[4], a.size(0), a.size(1), r);
  r.need(2, a.size(0), a.size(1));
}

void run_binary(const Context& context, const Arguments& arguments) {
  const size_t rows = arguments.size(0);
  const size_t columns = arguments.size(1);
  const BinaryKernels& kernels = context.kernels.binary[arguments.size(2)];
  const auto left = static_cast<Spread>(arguments.ints[3]);
  const auto right = static_cast<Spread>(arguments.ints[4]);
  const auto* a = arguments.view<const float>(0);
  const auto* b = arguments.view<const float>(1);
  auto* y = arguments.view<float>(2);
  const auto flat = [](Spread spread) { return spread == Spread::full || spread == Spread::scalar; };
  if (flat(left) && flat(right)) {
    over_elements(context, rows * columns, [&](size_t begin, size_t end) {
      if (left == Spread::full && right == Spread::full) {
        kernels.vector_vector(a + begin, b + begin, y + begin, end - begin);
      } else if (left == Spread::full) {
        kernels.vector_scalar(a + begin, *b, y + begin, end - begin);
      } else if (right == Spread::full) {
        kernels.scalar_vector(*a, b + begin, y + begin, end - begin);
      } else {
        kernels.vector_scalar(a, *b, y, 1);
        context.kernels.fill_f32(y + begin, *y, end - begin);
      }
    });
    return;
  }
  const auto row_of = [columns](const float* x, Spread spread, size_t row) {
    return spread == Spread::full ? x + row * columns : spread == Spread::column ? x + row : x;
  };
  const auto is_scalar = [](Spread spread) { return spread == Spread::scalar || spread == Spread::column; };
  const size_t least = columns == 0 ? rows : (kLeastElements + columns - 1) / columns;
  const size_t chunks = context.parallel.chunks(rows, least);
  const size_t step = (rows + chunks - 1) / chunks;
  context.parallel.run(chunks, [&](size_t chunk) {
    const size_t end = std::min((chunk + 1) * step, rows);
    for (size_t row = chunk * step; row < end; ++row) {
      const float* p = row_of(a, left, row);
      const float* q = row_of(b, right, row);
      float* out = y + row * columns;
      if (is_scalar(left) && is_scalar(right)) {
        float value = 0;
        kernels.vector_scalar(p, *q, &value, 1);
        context.kernels.fill_f32(out, value, columns);
      } else if (is_scalar(left)) {
        kernels.scalar_vector(*p, q, out, columns);
      } else if (is_scalar(right)) {
        kernels.vector_scalar(p, *q, out, columns);
      } else {
        kernels.vector_vector(p, q, out, columns);
      }
    }
  });
}

void check_fill(const Arguments& a, Requirements& r) { r.need(0, a.size(0)); }

void run_fill(const Context& context, const Arguments& a) {
  auto* y = a.view<float>(0);
  const auto value = static_cast<float>(a.doubles[0]);
  over_elements(context, a.size(0),
                [&](size_t begin, size_t end) { context.kernels.fill_f32(y + begin, value, end - begin); });
}

void check_copy(const Arguments& a, Requirements& r) {
  r.need(0, a.size(0));
  r.need(1, a.size(0));
}

void run_copy(const Context& context, const Arguments& a) {
  const auto* x = a.view<const float>(0);
  auto* y = a.view<float>(1);
  over_elements(context, a.size(0),
                [&](size_t begin, size_t end) { std::memcpy(y + begin, x + begin, (end - begin) * sizeof(float)); });
}

// doubles: scale
void run_convert(const Context& context, const Arguments& a) {
  const auto* x = a.view<const uint8_t>(0);
  auto* y = a.view<float>(1);
  const auto scale = static_cast<float>(a.doubles[0]);
  over_elements(context, a.size(0), [&](size_t begin, size_t end) {
    context.kernels.convert_u8_f32(x + begin, scale, y + begin, end - begin);
  });
}

void check_scalar(const Arguments& /*arguments*/, Requirements& r) { r.need(0, 1); }

void run_row_count(const Context& context, const Arguments& a) {
  *a.view<float>(0) = static_cast<float>(context.registers.rows);
}

// ints: lane
void check_schedule_value(const Arguments& a, Requirements& r) {
  if (a.ints[0] < 0) r.fail("no such schedule");
  r.need(0, 1);
}

void run_schedule_value(const Context& context, const Arguments& a) {
  const size_t lane = a.size(0);
  *a.view<float>(0) = lane < context.registers.lane_count ? static_cast<float>(context.registers.lanes[lane]) : 0.0f;
}

// ints: column of the log
void check_log_scalar(const Arguments& a, Requirements& r) {
  if (a.ints[0] < 0) r.fail("no such column");
  r.need(0, 1);
}

void run_log_scalar(const Context& context, const Arguments& a) {
  if (context.registers.log_row != nullptr) context.registers.log_row[a.size(0)] = *a.view<const float>(0);
}

}  // namespace

constinit const Operation op_unary{"unary", kUnary, true, check_unary, nullptr, run_unary};
constinit const Operation op_binary{"binary", kBinary, true, check_binary, nullptr, run_binary};
constinit const Operation op_fill{"fill", kFill, false, check_fill, nullptr, run_fill};
constinit const Operation op_copy{"copy", kCopy, false, check_copy, nullptr, run_copy};
constinit const Operation op_convert{"convert", kConvert, false, check_copy, nullptr, run_convert};
constinit const Operation op_row_count{"row_count", kRowCount, false, check_scalar, nullptr, run_row_count};
constinit const Operation op_schedule_value{"schedule_value",     kScheduleValue, false,
                                            check_schedule_value, nullptr,        run_schedule_value};
constinit const Operation op_log_scalar{"log_scalar", kLogScalar, false, check_log_scalar, nullptr, run_log_scalar};

}  // namespace carillon
