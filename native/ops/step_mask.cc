// 1 for the steps of each example, 0 for those behind its end.
#include "lengths.h"

namespace carillon {
namespace {

struct StepMaskAt {
  static constexpr Operands all{"lengths:i y:F", "rows:d steps:i", ""};
  static constexpr size_t lengths = all.view("lengths"), y = all.view("y"), rows = all.integer("rows"),
                          steps = all.integer("steps");
};

void check_step_mask(const Arguments& a, Requirements& r) {
  if (a.ints[StepMaskAt::steps] < 1) return r.fail("a mask of no steps");
  r.need(StepMaskAt::lengths, a.size(StepMaskAt::rows));
  r.need(StepMaskAt::y, a.size(StepMaskAt::rows), a.size(StepMaskAt::steps));
}

void run_step_mask(const Context& context, const Arguments& a) {
  const size_t rows = a.size(StepMaskAt::rows), steps = a.size(StepMaskAt::steps);
  const auto* lengths = a.view<const int32_t>(StepMaskAt::lengths);
  auto* y = a.view<float>(StepMaskAt::y);
  if (!lengths_fit(context, lengths, rows, steps)) return;
  for (size_t row = 0; row < rows; ++row) {
    const auto length = static_cast<size_t>(lengths[row]);
    context.kernels.fill_f32(y + row * steps, 1.0f, length);
    context.kernels.fill_f32(y + row * steps + length, 0.0f, steps - length);
  }
}

}  // namespace

constinit const Operation op_step_mask{"step_mask", StepMaskAt::all, false, check_step_mask, nullptr, run_step_mask};

}  // namespace carillon
