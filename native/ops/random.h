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

// What an activation with shares a unit reads, and its gradient; `site`: the place that drops, −1 none. `mask`: which
// elements are kept, a bit each, of rows of whole words; the gradient reads what the activation has drawn.
struct ParametricAt {
  static constexpr const char* ints = "rows:d columns:d function:unary site:i?-1 example_rows:i? lane:i?";
  static constexpr const char* doubles = "keep?1 keep_scale?1 factor?1";
  static constexpr Operands all{"x:f share:f y:F bend:F? mask:I?", ints, doubles};
  static constexpr size_t x = all.view("x"), share = all.view("share"), y = all.view("y"), bend = all.view("bend"),
                          mask = all.view("mask");
  static constexpr size_t rows = all.integer("rows"), columns = all.integer("columns"),
                          function = all.integer("function"), site = all.integer("site"),
                          example_rows = all.integer("example_rows"), lane = all.integer("lane");
  static constexpr size_t keep = all.number("keep"), keep_scale = all.number("keep_scale"),
                          factor = all.number("factor");
};
static_assert(ParametricAt::lane == DropoutAt::lane);

// The number of lanes that a dropout reads up to: `keep` and `scale` are the lanes `lane` − 1 and `lane`; where that is
// 0, its own numbers.
inline size_t lanes_end(const Arguments& a) { return a.size(DropoutAt::lane) == 0 ? 0 : a.size(DropoutAt::lane) + 1; }

// Whether an operation drops by lanes of a schedule, `lanes_end` of its arguments.
inline bool reads_lanes(const Operation* operation) {
  return operation == &op_dropout || operation == &op_parametric || operation == &op_parametric_gradient;
}

// A mask of the step under way, of what is dropped to 0. `keep` and `scale` stand for the lanes where there are none.
DropoutArguments mask_of_step(const Context& context, const Arguments& a, size_t site, double keep, double scale);

}  // namespace carillon
