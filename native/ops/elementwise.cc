// Elementwise operations, fills, copies and conversions.
#include <algorithm>
#include <cstring>

#include "operation.h"

namespace carillon {
namespace {

struct UnaryAt {
  static constexpr Operands all{"x:f y:F", "count:d function:unary", ""};
  static constexpr size_t x = all.view("x"), y = all.view("y");
  static constexpr size_t count = all.integer("count"), function = all.integer("function");
};
struct BinaryAt {
  static constexpr Operands all{"a:f b:f y:F", "rows:d columns:d function:binary spread_a:spreads spread_b:spreads",
                                ""};
  static constexpr size_t a = all.view("a"), b = all.view("b"), y = all.view("y");
  static constexpr size_t rows = all.integer("rows"), columns = all.integer("columns"),
                          function = all.integer("function"), spread_a = all.integer("spread_a"),
                          spread_b = all.integer("spread_b");
};
struct FillAt {
  static constexpr Operands all{"y:F", "count:d", "value"};
  static constexpr size_t y = all.view("y");
  static constexpr size_t count = all.integer("count");
  static constexpr size_t value = all.number("value");
};
struct CopyAt {
  static constexpr Operands all{"x:f y:F", "count:d", ""};
  static constexpr size_t x = all.view("x"), y = all.view("y");
  static constexpr size_t count = all.integer("count");
};
struct ConvertAt {
  static constexpr Operands all{"x:u y:F", "count:d", "scale"};
  static constexpr size_t x = all.view("x"), y = all.view("y");
  static constexpr size_t count = all.integer("count");
  static constexpr size_t scale = all.number("scale");
};
struct RowCountAt {
  static constexpr Operands all{"y:F", "", ""};
  static constexpr size_t y = all.view("y");
};
struct ScheduleValueAt {
  static constexpr Operands all{"y:F", "lane:i", ""};
  static constexpr size_t y = all.view("y");
  static constexpr size_t lane = all.integer("lane");
};
struct LogScalarAt {
  static constexpr Operands all{"x:f", "column:i", ""};
  static constexpr size_t x = all.view("x");
  static constexpr size_t column = all.integer("column");
};

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
  if (a.ints[UnaryAt::function] < 0 || a.ints[UnaryAt::function] >= static_cast<int64_t>(Unary::count))
    r.fail("no such function");
  r.need(UnaryAt::x, a.size(UnaryAt::count));
  r.need(UnaryAt::y, a.size(UnaryAt::count));
}

void run_unary(const Context& context, const Arguments& a) {
  const UnaryKernel kernel = context.kernels.unary[a.size(UnaryAt::function)];
  const auto* x = a.view<const float>(UnaryAt::x);
  auto* y = a.view<float>(UnaryAt::y);
  over_elements(context, a.size(UnaryAt::count),
                [&](size_t begin, size_t end) { kernel(x + begin, y + begin, end - begin); });
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
      r.need(BinaryAt::y, rows, columns);
      return r.counts[BinaryAt::y];
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

void check_binary(const Arguments& a, Requirements& r) {
  if (a.ints[BinaryAt::function] < 0 || a.ints[BinaryAt::function] >= static_cast<int64_t>(Binary::count))
    r.fail("no such function");
  r.counts[BinaryAt::a] =
      spread_count(a.ints[BinaryAt::spread_a], a.size(BinaryAt::rows), a.size(BinaryAt::columns), r);
  r.counts[BinaryAt::b] =
      spread_count(a.ints[BinaryAt::spread_b], a.size(BinaryAt::rows), a.size(BinaryAt::columns), r);
  r.need(BinaryAt::y, a.size(BinaryAt::rows), a.size(BinaryAt::columns));
}

void run_binary(const Context& context, const Arguments& arguments) {
  const size_t rows = arguments.size(BinaryAt::rows);
  const size_t columns = arguments.size(BinaryAt::columns);
  const BinaryKernels& kernels = context.kernels.binary[arguments.size(BinaryAt::function)];
  const auto left = static_cast<Spread>(arguments.ints[BinaryAt::spread_a]);
  const auto right = static_cast<Spread>(arguments.ints[BinaryAt::spread_b]);
  const auto* a = arguments.view<const float>(BinaryAt::a);
  const auto* b = arguments.view<const float>(BinaryAt::b);
  auto* y = arguments.view<float>(BinaryAt::y);
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

void check_fill(const Arguments& a, Requirements& r) { r.need(FillAt::y, a.size(FillAt::count)); }

void run_fill(const Context& context, const Arguments& a) {
  auto* y = a.view<float>(FillAt::y);
  const auto value = static_cast<float>(a.doubles[FillAt::value]);
  over_elements(context, a.size(FillAt::count),
                [&](size_t begin, size_t end) { context.kernels.fill_f32(y + begin, value, end - begin); });
}

void check_copy(const Arguments& a, Requirements& r) {
  r.need(CopyAt::x, a.size(CopyAt::count));
  r.need(CopyAt::y, a.size(CopyAt::count));
}

void run_copy(const Context& context, const Arguments& a) {
  const auto* x = a.view<const float>(CopyAt::x);
  auto* y = a.view<float>(CopyAt::y);
  over_elements(context, a.size(CopyAt::count),
                [&](size_t begin, size_t end) { std::memcpy(y + begin, x + begin, (end - begin) * sizeof(float)); });
}

void run_convert(const Context& context, const Arguments& a) {
  const auto* x = a.view<const uint8_t>(ConvertAt::x);
  auto* y = a.view<float>(ConvertAt::y);
  const auto scale = static_cast<float>(a.doubles[ConvertAt::scale]);
  over_elements(context, a.size(ConvertAt::count), [&](size_t begin, size_t end) {
    context.kernels.convert_u8_f32(x + begin, scale, y + begin, end - begin);
  });
}

void check_scalar(const Arguments& /*arguments*/, Requirements& r) { r.need(RowCountAt::y, 1); }

void run_row_count(const Context& context, const Arguments& a) {
  *a.view<float>(RowCountAt::y) = static_cast<float>(context.registers.rows);
}

void check_schedule_value(const Arguments& a, Requirements& r) {
  if (a.ints[ScheduleValueAt::lane] < 0) r.fail("no such schedule");
  r.need(ScheduleValueAt::y, 1);
}

void run_schedule_value(const Context& context, const Arguments& a) {
  const size_t lane = a.size(ScheduleValueAt::lane);
  *a.view<float>(ScheduleValueAt::y) =
      lane < context.registers.lane_count ? static_cast<float>(context.registers.lanes[lane]) : 0.0f;
}

void check_log_scalar(const Arguments& a, Requirements& r) {
  if (a.ints[LogScalarAt::column] < 0) r.fail("no such column");
  r.need(LogScalarAt::x, 1);
}

void run_log_scalar(const Context& context, const Arguments& a) {
  if (context.registers.log_row != nullptr)
    context.registers.log_row[a.size(LogScalarAt::column)] = *a.view<const float>(LogScalarAt::x);
}

}  // namespace

constinit const Operation op_unary{"unary", UnaryAt::all, true, check_unary, nullptr, run_unary};
constinit const Operation op_binary{"binary", BinaryAt::all, true, check_binary, nullptr, run_binary};
constinit const Operation op_fill{"fill", FillAt::all, false, check_fill, nullptr, run_fill};
constinit const Operation op_copy{"copy", CopyAt::all, false, check_copy, nullptr, run_copy};
constinit const Operation op_convert{"convert", ConvertAt::all, false, check_copy, nullptr, run_convert};
constinit const Operation op_row_count{"row_count", RowCountAt::all, false, check_scalar, nullptr, run_row_count};
constinit const Operation op_schedule_value{"schedule_value", ScheduleValueAt::all, false, check_schedule_value,
                                            nullptr,          run_schedule_value};
constinit const Operation op_log_scalar{"log_scalar",     LogScalarAt::all, false,
                                        check_log_scalar, nullptr,          run_log_scalar};

}  // namespace carillon
