// Where a gather has its operands: the feed of a program looks at them too.
#pragma once

#include "operation.h"

namespace carillon {

struct GatherAt {
  static constexpr Operands all{"source:x order:i y:X", "rows:d columns:d source_rows:d dtype:dtypes", "scale"};
  static constexpr size_t source = all.view("source"), order = all.view("order"), y = all.view("y");
  static constexpr size_t rows = all.integer("rows"), columns = all.integer("columns"),
                          source_rows = all.integer("source_rows"), dtype = all.integer("dtype");
  static constexpr size_t scale = all.number("scale");
};

// Of rows that are lists of any length: list i is source[bounds[i] … bounds[i + 1]), or, where a list has `width`
// places, the first bounds[i] of its own.
struct GatherEndsAt {
  static constexpr Operands all{"bounds:i order:i ends:I", "rows:d source_rows:d width:i", ""};
  static constexpr size_t bounds = all.view("bounds"), order = all.view("order"), ends = all.view("ends");
  static constexpr size_t rows = all.integer("rows"), source_rows = all.integer("source_rows"),
                          width = all.integer("width");
};

struct GatherListsAt {
  static constexpr Operands all{"source:x bounds:i order:i y:X", "rows:d source_rows:d width:i entries:i room:i", ""};
  static constexpr size_t source = all.view("source"), bounds = all.view("bounds"), order = all.view("order"),
                          y = all.view("y");
  static constexpr size_t rows = all.integer("rows"), source_rows = all.integer("source_rows"),
                          width = all.integer("width"), entries = all.integer("entries"), room = all.integer("room");
};

// Where an operation that reads rows in the order of the epoch has that order; −1: it reads none so. Its first integer
// is how many.
inline int order_view(const Operation* operation) {
  if (operation == &op_gather) return static_cast<int>(GatherAt::order);
  if (operation == &op_gather_ends) return static_cast<int>(GatherEndsAt::order);
  return operation == &op_gather_lists ? static_cast<int>(GatherListsAt::order) : -1;
}
static_assert(GatherAt::rows == 0 && GatherEndsAt::rows == 0 && GatherListsAt::rows == 0);

}  // namespace carillon
