// What flows back into a table, by its rows: shared by the gradient of every element and by the one in rows.
#pragma once

#include "rows.h"

namespace carillon {

// How the rows of a bag become one.
enum class Bags : int64_t {
#define X(name) name,
#include "bags.def"
#undef X
  count
};

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

// Entries by row, ascending, those of a row in the order of the batch.
struct Scattered {
  size_t entries;
  size_t touched;
  const int32_t* rows;    // [touched]
  const int32_t* begins;  // [touched + 1]
  const int32_t* places;  // [entries]: rows of the gradient
  const float* factors;   // [entries], or nullptr
};

void check_scatter(const Arguments& a, Requirements& r);
size_t scratch_scatter(const Arguments& a, const KernelTable& kernels);

// In scratch; nothing where an index is no row, with the fault.
Scattered scatter(const Context& context, const Arguments& a);

// The gradient of the i-th touched row: one chain from +0.
void sum_row(const Context& context, const Arguments& a, const Scattered& scattered, size_t i, float* y);

}  // namespace carillon
