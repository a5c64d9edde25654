// Rows of a table by index, one by one or a bag of them as one, and the sum of what flows back into them.
#include <algorithm>
#include <cstring>

#include "scatter.h"

namespace carillon {
namespace {

// ---- Rows one by one -------------------------------------------------------------------------------------------

struct TakeAt {
  static constexpr Operands all{"table:x indices:i y:X", "count:d table_rows:d columns:i width:i padding:i?-1 gaps:b?",
                                ""};
  static constexpr size_t table = all.view("table"), indices = all.view("indices"), y = all.view("y");
  static constexpr size_t count = all.integer("count"), table_rows = all.integer("table_rows"),
                          columns = all.integer("columns"), width = all.integer("width"),
                          padding = all.integer("padding"), gaps = all.integer("gaps");
};

// y[i] = table[indices[i]], 0 where that is the padding, or where `gaps` says so −1; `width` indices are a row of the
// batch, which a fault names.
void check_take(const Arguments& a, Requirements& r) {
  if (a.ints[TakeAt::columns] < 0 || a.ints[TakeAt::width] < 1) return r.fail("bad columns");
  r.need(TakeAt::table, a.size(TakeAt::table_rows), a.size(TakeAt::columns));
  r.need(TakeAt::indices, a.size(TakeAt::count));
  r.need(TakeAt::y, a.size(TakeAt::count), a.size(TakeAt::columns));
}

void run_take(const Context& context, const Arguments& a) {
  const size_t count = a.size(TakeAt::count), columns = a.size(TakeAt::columns);
  const size_t bytes = columns * sizeof(uint32_t);
  const auto* indices = a.view<const int32_t>(TakeAt::indices);
  const bool gaps = a.ints[TakeAt::gaps] != 0;
  if (!indices_fit(context, indices, count, a.size(TakeAt::table_rows), a.size(TakeAt::width), gaps)) return;
  const auto* table = a.view<const std::byte>(TakeAt::table);
  auto* y = a.view<std::byte>(TakeAt::y);
  const size_t chunks = context.parallel.chunks(count * columns, kLeastElements);
  context.parallel.run(chunks, [&](size_t chunk) {
    const size_t end = count * (chunk + 1) / chunks;
    for (size_t i = count * chunk / chunks; i < end; ++i) {
      if (i + kRowsAhead < end && indices[i + kRowsAhead] >= 0)
        fetch_row(table + static_cast<size_t>(indices[i + kRowsAhead]) * bytes, bytes);
      if (indices[i] < 0 || indices[i] == a.ints[TakeAt::padding]) {
        std::memset(y + i * bytes, 0, bytes);
      } else {
        std::memcpy(y + i * bytes, table + static_cast<size_t>(indices[i]) * bytes, bytes);
      }
    }
  });
}

// ---- Bags ------------------------------------------------------------------------------------------------------

struct BagAt {
  static constexpr Operands all{"table:f ids:i weights:f? ends:i? y:F",
                                "bags:d table_rows:d columns:i width:i padding:i?-1 mode:bags", ""};
  static constexpr size_t table = all.view("table"), ids = all.view("ids"), weights = all.view("weights"),
                          ends = all.view("ends"), y = all.view("y");
  static constexpr size_t bags = all.integer("bags"), table_rows = all.integer("table_rows"),
                          columns = all.integer("columns"), width = all.integer("width"),
                          padding = all.integer("padding"), mode = all.integer("mode");
};

void check_bag(const Arguments& a, Requirements& r) {
  if (a.ints[BagAt::columns] < 0 || a.ints[BagAt::width] < 1) return r.fail("bad columns");
  if (a.ints[BagAt::mode] < 0 || a.ints[BagAt::mode] >= static_cast<int64_t>(Bags::count))
    return r.fail("no such bags");
  if (has_share(static_cast<Bags>(a.ints[BagAt::mode])) && a.views[BagAt::weights] != nullptr)
    return r.fail("a mean has no weights");
  r.need(BagAt::table, a.size(BagAt::table_rows), a.size(BagAt::columns));
  const size_t lists = a.views[BagAt::ends] == nullptr ? a.size(BagAt::bags) : 1;
  r.need(BagAt::ids, lists, a.size(BagAt::width));
  r.need(BagAt::weights, lists, a.size(BagAt::width));
  r.need(BagAt::ends, a.size(BagAt::bags));
  r.need(BagAt::y, a.size(BagAt::bags), a.size(BagAt::columns));
}

// y[b] = Σ weights[b][i]·table[ids[b][i]], by its number of ids in the mean, or by the root of that. A bag has `width`
// ids, or those up to ends[b], of `width` in all.
void run_bag(const Context& context, const Arguments& a) {
  const size_t bags = a.size(BagAt::bags), columns = a.size(BagAt::columns);
  const auto* ids = a.view<const int32_t>(BagAt::ids);
  const IdLists lists{a.view<const int32_t>(BagAt::ends), bags, a.size(BagAt::width)};
  if (!lists.fit(context, ids, a.size(BagAt::table_rows), lists.ends == nullptr)) return;
  const auto* weights = a.view<const float>(BagAt::weights);
  const auto padding = static_cast<int32_t>(a.ints[BagAt::padding]);
  const auto mode = static_cast<Bags>(a.ints[BagAt::mode]);
  const auto multiply = context.kernels.binary[static_cast<size_t>(Binary::multiply)].vector_scalar;
  const size_t least = std::max<size_t>(1, kLeastElements * bags / std::max<size_t>(1, lists.entries() * columns));
  const size_t chunks = std::min(std::max<size_t>(bags, 1), context.parallel.chunks(bags, least));
  context.parallel.run(chunks, [&](size_t chunk) {
    const size_t begin = bags * chunk / chunks, end = bags * (chunk + 1) / chunks;
    // Bag by bag one list of ids; of bags of any length all but the first begin where another ends.
    const size_t first = lists.ends != nullptr && begin == 0 && end > 0 ? 1 : 0;
    float* y = a.view<float>(BagAt::y);
    RowsTask task{a.view<const float>(BagAt::table),
                  columns,
                  ids,
                  weights,
                  nullptr,
                  0,
                  0,
                  lists.begin(end),
                  padding,
                  y + begin * columns,
                  columns};
    if (lists.ends == nullptr) {
      task.rows = ids + lists.begin(begin);
      task.factors = weights == nullptr ? nullptr : weights + lists.begin(begin);
      task.known = lists.begin(end) - lists.begin(begin);
      task.width = a.size(BagAt::width);
      task.sums = end - begin;
      context.kernels.rows_sum_f32(task);
    } else {
      if (first != 0) {
        task.width = lists.end(0);
        task.sums = 1;
        context.kernels.rows_sum_f32(task);
      }
      if (begin + first < end) {
        task.begins = lists.ends + (begin + first - 1);
        task.sums = end - begin - first;
        task.y = y + (begin + first) * columns;
        context.kernels.rows_sum_f32(task);
      }
    }
    for (size_t bag = begin; has_share(mode) && bag < end; ++bag) {
      const float share = bag_share(mode, ids + lists.begin(bag), lists.end(bag) - lists.begin(bag), padding);
      multiply(y + bag * columns, share, y + bag * columns, columns);
    }
  });
}

// ---- The gradient of every element -----------------------------------------------------------------------------

struct TakeGradientAt {
  static constexpr Operands all{"gradient:f indices:i weights:f? ends:i? y:F",
                                "count:d lists:d? table_rows:d columns:i width:i padding:i?-1 bags:bags? gaps:b?", ""};
  static constexpr size_t y = all.view("y");
};

void check_take_gradient(const Arguments& a, Requirements& r) {
  check_scatter(a, r);
  r.need(TakeGradientAt::y, a.size(ScatterAt::table_rows), a.size(ScatterAt::columns));
}

// Each row is one chain from +0 over the indices that name it, ascending.
void run_take_gradient(const Context& context, const Arguments& a) {
  const size_t rows = a.size(ScatterAt::table_rows), columns = a.size(ScatterAt::columns);
  const Scattered scattered = scatter(context, a);
  if (context.fault.what != nullptr) return;
  const TouchedRows touched{scattered.rows, scattered.touched};
  auto* y = a.view<float>(TakeGradientAt::y);
  const size_t chunks = std::min(std::max<size_t>(rows, 1), context.parallel.chunks(rows * columns, kLeastElements));
  context.parallel.run(chunks, [&](size_t chunk) {
    size_t row = rows * chunk / chunks;
    const size_t end = rows * (chunk + 1) / chunks;
    for (size_t i = touched.from(row); row < end; ++i) {
      const size_t next = i < touched.count ? std::min(end, static_cast<size_t>(touched.rows[i])) : end;
      context.kernels.fill_f32(y + row * columns, 0.0f, (next - row) * columns);
      if (next < end) scattered.sum(context.kernels, i, i + 1, y + next * columns);
      row = next + 1;
    }
  });
}

}  // namespace

constinit const Operation op_take{"take", TakeAt::all, false, check_take, nullptr, run_take};
constinit const Operation op_bag{"bag", BagAt::all, false, check_bag, nullptr, run_bag};
constinit const Operation op_take_gradient{"take_gradient",     TakeGradientAt::all, false,
                                           check_take_gradient, scratch_scatter,     run_take_gradient};

}  // namespace carillon
