// What flows back into a table, by its rows: shared by the gradient of every element, by the one in rows, and by who
// makes do without memory for either.
#pragma once

#include <cmath>
#include <limits>

#include "rows.h"

namespace carillon {

// How the rows of a bag become one.
enum class Bags : int64_t {
#define X(name) name,
#include "bags.def"
#undef X
  count
};

// Whether a bag is multiplied by a number that its ids tell, so that it takes no weights.
constexpr bool has_share(Bags bags) { return bags == Bags::mean || bags == Bags::sqrtn; }

// 1 by the number of ids of a bag, or by the root of that, rounded by operation; 0 of an empty one.
inline float bag_share(Bags bags, const int32_t* ids, size_t width, int64_t padding) {
  size_t count = 0;
  for (size_t i = 0; i < width; ++i) count += ids[i] >= 0 && ids[i] != padding ? 1 : 0;
  if (count == 0) return 0.0f;
  const auto number = static_cast<float>(count);
  return 1.0f / (bags == Bags::sqrtn ? std::sqrt(number) : number);
}

// The operands in front of `take_gradient` and `scatter_rows`. `width` indices are a row of the batch; of a bag they
// have one row of the gradient together. Bags of any length are so many `lists` with their ends: `count` is then the
// room for their indices. Where there are gaps −1 is no index.
struct ScatterAt {
  static constexpr Operands all{"gradient:f indices:i weights:f? ends:i?",
                                "count:d lists:d? table_rows:i columns:i width:i padding:i?-1 bags:bags? gaps:b?", ""};
  static constexpr size_t gradient = all.view("gradient"), indices = all.view("indices"), weights = all.view("weights"),
                          ends = all.view("ends");
  static constexpr size_t count = all.integer("count"), lists = all.integer("lists"),
                          table_rows = all.integer("table_rows"), columns = all.integer("columns"),
                          width = all.integer("width"), padding = all.integer("padding"), bags = all.integer("bags"),
                          gaps = all.integer("gaps");
};

// Look-ups in a table of `table_rows` rows, and what flows back into each.
struct LookUps {
  const float* gradient;
  const int32_t* indices;
  const float* weights;  // or nullptr
  size_t count;
  size_t table_rows;
  size_t columns;
  size_t width;
  int64_t padding;
  Bags bags;
  bool gaps;
  const int32_t* ends;  // of bags of any length, or nullptr
  size_t lists;

  IdLists in_lists() const { return {ends, ends == nullptr ? count / width : lists, ends == nullptr ? width : count}; }
};

// Of an operation whose operands have the names of ScatterAt but for the sizes of the table.
template <class At>
LookUps look_ups(const Arguments& a, size_t table_rows, size_t columns) {
  return {a.view<const float>(At::gradient),
          a.view<const int32_t>(At::indices),
          a.view<const float>(At::weights),
          a.size(At::count),
          table_rows,
          columns,
          a.size(At::width),
          a.ints[At::padding],
          static_cast<Bags>(a.ints[At::bags]),
          a.ints[At::gaps] != 0,
          a.view<const int32_t>(At::ends),
          a.size(At::lists)};
}

template <class At>
void check_look_ups(const Arguments& a, Requirements& r, size_t columns) {
  constexpr int64_t most = std::numeric_limits<int32_t>::max();
  const bool listed = a.views[At::ends] != nullptr;
  const int64_t bags = a.ints[At::bags];
  if (bags < 0 || bags >= static_cast<int64_t>(Bags::count)) return r.fail("no such bags");
  if (a.ints[At::count] < 0 || a.ints[At::lists] < 0 || a.ints[At::width] < 1) return r.fail("bad columns");
  if (static_cast<Bags>(bags) == Bags::mean && a.views[At::weights] != nullptr) return r.fail("a mean has no weights");
  if (a.ints[At::count] > most) return r.fail("too many indices");
  if (a.ints[At::lists] > most) return r.fail("too many lists");
  const size_t count = a.size(At::count), width = a.size(At::width);
  const bool bagged = static_cast<Bags>(bags) != Bags::none;
  if (listed && !bagged) return r.fail("lists that are no bags");
  if (!listed && count % width != 0) return r.fail("a row that is not whole");
  const size_t rows = bagged ? count / width : count;
  r.need(At::gradient, listed ? a.size(At::lists) : rows, columns);
  r.need(At::ends, a.size(At::lists));
  r.need(At::indices, count);
  r.need(At::weights, count);
}

// Entries by row, ascending, those of a row in the order of the batch.
struct Scattered {
  LookUps of;
  size_t entries;
  size_t touched;
  const int32_t* rows;    // [touched]
  const int32_t* begins;  // [touched + 1]
  const int32_t* places;  // [entries]: rows of the gradient
  const float* factors;   // [entries], or nullptr

  // Elements [from, from + columns) of the gradients of touched rows [first, last), side by side: each one chain from
  // +0.
  RowsTask sums(size_t first, size_t last, size_t from, size_t columns, float* y) const {
    return {of.gradient + from, of.columns, places, factors, begins + first, 0, last - first, entries, -1, y, columns};
  }
  void sum(const KernelTable& kernels, size_t first, size_t last, size_t from, size_t columns, float* y) const {
    kernels.rows_sum_f32(sums(first, last, from, columns, y));
  }
  void sum(const KernelTable& kernels, size_t first, size_t last, float* y) const {
    sum(kernels, first, last, 0, of.columns, y);
  }
};

// Bytes that scatter() takes for so many look-ups, in so many lists of any length.
size_t scatter_bytes(size_t count, size_t lists);
template <class At>
size_t scatter_bytes(const Arguments& a) {
  return scatter_bytes(a.size(At::count), a.views[At::ends] == nullptr ? 0 : a.size(At::lists));
}

// In `memory`; nothing where an index is no row, with the fault.
Scattered scatter(const Context& context, const LookUps& of, void* memory);

void check_scatter(const Arguments& a, Requirements& r);
size_t scratch_scatter(const Arguments& a, const KernelTable& kernels);
inline Scattered scatter(const Context& context, const Arguments& a) {
  return scatter(context, look_ups<ScatterAt>(a, a.size(ScatterAt::table_rows), a.size(ScatterAt::columns)),
                 context.scratch);
}

}  // namespace carillon
