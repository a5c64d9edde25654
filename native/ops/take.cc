// Rows of a table by index, and the sum of what flows back into them.
#include <algorithm>
#include <cstring>

#include "operation.h"

namespace carillon {
namespace {

// Of both: `count` indices, `width` of them a row of the batch, which a fault names.
struct IndexedAt {
  static constexpr const char* ints = "count:d table_rows:d columns:i width:i";
  static constexpr Operands all{"", ints, ""};
  static constexpr size_t count = all.integer("count"), table_rows = all.integer("table_rows"),
                          columns = all.integer("columns"), width = all.integer("width");
};
struct TakeAt : IndexedAt {
  static constexpr Operands all{"table:x indices:i y:X", ints, ""};
  static constexpr size_t table = all.view("table"), indices = all.view("indices"), y = all.view("y");
};
struct TakeGradientAt : IndexedAt {
  static constexpr Operands all{"gradient:f indices:i y:F", ints, ""};
  static constexpr size_t gradient = all.view("gradient"), indices = all.view("indices"), y = all.view("y");
};

// False, with the fault recorded, when an index is no row: nothing has been read or written then.
bool indices_fit(const Context& context, const Arguments& a, const int32_t* indices) {
  const size_t rows = a.size(IndexedAt::table_rows);
  for (size_t i = 0; i < a.size(IndexedAt::count); ++i) {
    if (indices[i] >= 0 && static_cast<size_t>(indices[i]) < rows) continue;
    if (context.fault.what == nullptr) {
      const size_t width = a.size(IndexedAt::width);
      context.fault = {"index", i / width, indices[i], static_cast<int64_t>(rows)};
      context.fault.column = width == 1 ? -1 : static_cast<int64_t>(i % width);
    }
    return false;
  }
  return true;
}

void check_sizes(const Arguments& a, Requirements& r) {
  if (a.ints[IndexedAt::columns] < 0 || a.ints[IndexedAt::width] < 1) r.fail("bad columns");
}

// y[i] = table[indices[i]]
void check_take(const Arguments& a, Requirements& r) {
  check_sizes(a, r);
  r.need(TakeAt::table, a.size(IndexedAt::table_rows), a.size(IndexedAt::columns));
  r.need(TakeAt::indices, a.size(IndexedAt::count));
  r.need(TakeAt::y, a.size(IndexedAt::count), a.size(IndexedAt::columns));
}

// Rows lie anywhere in memory: their lines are asked for while the rows before them are copied, up to this many bytes.
constexpr size_t kRowsAhead = 4;
constexpr size_t kFetchedBytes = 1024;
constexpr size_t kLine = 64;

void fetch_row(const std::byte* row, size_t bytes) {
  for (size_t at = 0; at < std::min(bytes, kFetchedBytes); at += kLine) __builtin_prefetch(row + at);
}

void run_take(const Context& context, const Arguments& a) {
  const size_t count = a.size(IndexedAt::count), columns = a.size(IndexedAt::columns);
  const size_t bytes = columns * sizeof(uint32_t);
  const auto* indices = a.view<const int32_t>(TakeAt::indices);
  if (!indices_fit(context, a, indices)) return;
  const auto* table = a.view<const std::byte>(TakeAt::table);
  auto* y = a.view<std::byte>(TakeAt::y);
  const size_t chunks = context.parallel.chunks(count * columns, kLeastElements);
  context.parallel.run(chunks, [&](size_t chunk) {
    const size_t end = count * (chunk + 1) / chunks;
    for (size_t i = count * chunk / chunks; i < end; ++i) {
      if (i + kRowsAhead < end) fetch_row(table + static_cast<size_t>(indices[i + kRowsAhead]) * bytes, bytes);
      std::memcpy(y + i * bytes, table + static_cast<size_t>(indices[i]) * bytes, bytes);
    }
  });
}

// y, the gradient of the table: each row is one chain from +0 over the indices that name it, ascending.
void check_take_gradient(const Arguments& a, Requirements& r) {
  check_sizes(a, r);
  r.need(TakeGradientAt::gradient, a.size(IndexedAt::count), a.size(IndexedAt::columns));
  r.need(TakeGradientAt::indices, a.size(IndexedAt::count));
  r.need(TakeGradientAt::y, a.size(IndexedAt::table_rows), a.size(IndexedAt::columns));
}

void run_take_gradient(const Context& context, const Arguments& a) {
  const size_t count = a.size(IndexedAt::count), rows = a.size(IndexedAt::table_rows),
               columns = a.size(IndexedAt::columns);
  const auto* gradient = a.view<const float>(TakeGradientAt::gradient);
  const auto* indices = a.view<const int32_t>(TakeGradientAt::indices);
  auto* y = a.view<float>(TakeGradientAt::y);
  if (!indices_fit(context, a, indices)) return;
  const auto add = context.kernels.binary[static_cast<size_t>(Binary::add)].vector_vector;
  // Each part has rows of its own and looks at all indices, so that no sum depends on the threads.
  const size_t chunks = std::min(std::max<size_t>(rows, 1), context.parallel.chunks(rows * columns, kLeastElements));
  context.parallel.run(chunks, [&](size_t chunk) {
    const size_t begin = rows * chunk / chunks, end = rows * (chunk + 1) / chunks;
    context.kernels.fill_f32(y + begin * columns, 0.0f, (end - begin) * columns);
    for (size_t i = 0; i < count; ++i) {
      const auto row = static_cast<size_t>(indices[i]);
      if (row < begin || row >= end) continue;
      float* sum = y + row * columns;
      add(sum, gradient + i * columns, sum, columns);
    }
  });
}

}  // namespace

constinit const Operation op_take{"take", TakeAt::all, false, check_take, nullptr, run_take};
constinit const Operation op_take_gradient{"take_gradient", TakeGradientAt::all, false, check_take_gradient,
                                           nullptr,         run_take_gradient};

}  // namespace carillon
