// Where a dropout has its operands: a program looks at its lanes too.
#pragma once

#include "operation.h"

namespace carillon {

// Of what draws for every element of x.
struct MaskedAt {
  static constexpr const char* views = "x:f y:F";
  static constexpr Operands all{views, "rows:d columns:d site:i group:i example_rows:i", ""};
  static constexpr size_t x = all.view("x"), y = all.view("y");
  static constexpr size_t rows = all.integer("rows"), columns = all.integer("columns"), site = all.integer("site"),
                          group = all.integer("group"), example_rows = all.integer("example_rows");
};
struct DropoutAt : MaskedAt {
  static constexpr Operands all{views, "rows:d columns:d site:i group:i example_rows:i lane:i?",
                                "keep scale shift dropped"};
  static constexpr size_t lane = all.integer("lane");
  static constexpr size_t keep = all.number("keep"), scale = all.number("scale"), shift = all.number("shift"),
                          dropped = all.number("dropped");
};
static_assert(DropoutAt::lane > MaskedAt::example_rows);

// The number of lanes that a dropout reads up to: `keep` and `scale` are the lanes `lane` − 1 and `lane`; where that is
// 0, its own numbers.
inline size_t lanes_end(const Arguments& a) { return a.size(DropoutAt::lane) == 0 ? 0 : a.size(DropoutAt::lane) + 1; }

}  // namespace carillon
