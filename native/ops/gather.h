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

}  // namespace carillon
