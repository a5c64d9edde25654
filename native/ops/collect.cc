// Rows of every step, kept for whoever looks at them after the call.
#include <cstring>

#include "operation.h"

namespace carillon {
namespace {

constexpr Operands kCollect{"x:x kept:X", "rows:d columns:d batch:i steps:i", ""};

// views: x, kept: f32 or i32 alike; ints: rows, columns, rows of a whole batch, steps that are kept
// kept[((step − 1) mod steps)·batch + first + r] = x[r], where first counts the rows before this micro-batch.
void check_collect(const Arguments& a, Requirements& r) {
  if (a.ints[2] < 1 || a.ints[3] < 1 || a.ints[0] > a.ints[2]) {
    r.fail("rows out of range");
    return;
  }
  r.need(0, a.size(0), a.size(1));
  r.need(1, a.size(2) * a.size(3), a.size(1));  // both are int32 words: their product fits
}

void run_collect(const Context& context, const Arguments& a) {
  const Registers& registers = context.registers;
  const size_t rows = a.size(0);
  const size_t columns = a.size(1);
  const size_t batch = a.size(2);
  if (registers.batch_offset + rows > batch) {
    if (context.fault.what == nullptr) {
      context.fault = {"index", rows - 1, static_cast<int64_t>(registers.batch_offset + rows - 1),
                       static_cast<int64_t>(batch)};
    }
    return;
  }
  const size_t slot = (registers.step - 1) % a.size(3);
  const size_t first = (slot * batch + registers.batch_offset) * columns;
  if (rows * columns == 0) return;
  std::memcpy(a.view<float>(1) + first, a.view<const float>(0), rows * columns * sizeof(float));
}

}  // namespace

constinit const Operation op_collect{"collect", kCollect, false, check_collect, nullptr, run_collect};

}  // namespace carillon
