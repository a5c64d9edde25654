// Rows of every step, kept for whoever looks at them after the call.
#include <cstring>

#include "operation.h"

namespace carillon {
namespace {

struct CollectAt {
  static constexpr Operands all{"x:x kept:X", "rows:d columns:d batch:i steps:i", ""};
  static constexpr size_t x = all.view("x"), kept = all.view("kept");
  static constexpr size_t rows = all.integer("rows"), columns = all.integer("columns"), batch = all.integer("batch"),
                          steps = all.integer("steps");
};

// f32 or i32 alike; `batch` rows of a whole batch, `steps` that are kept:
// kept[((step − 1) mod steps)·batch + first + r] = x[r], where first counts the rows before this micro-batch.
void check_collect(const Arguments& a, Requirements& r) {
  if (a.ints[CollectAt::batch] < 1 || a.ints[CollectAt::steps] < 1 ||
      a.ints[CollectAt::rows] > a.ints[CollectAt::batch]) {
    r.fail("rows out of range");
    return;
  }
  r.need(CollectAt::x, a.size(CollectAt::rows), a.size(CollectAt::columns));
  r.need(CollectAt::kept, a.size(CollectAt::batch) * a.size(CollectAt::steps),
         a.size(CollectAt::columns));  // both are int32 words: their product fits
}

void run_collect(const Context& context, const Arguments& a) {
  const Registers& registers = context.registers;
  const size_t rows = a.size(CollectAt::rows);
  const size_t columns = a.size(CollectAt::columns);
  const size_t batch = a.size(CollectAt::batch);
  if (registers.batch_offset + rows > batch) {
    if (context.fault.what == nullptr) {
      context.fault = {"index", rows - 1, static_cast<int64_t>(registers.batch_offset + rows - 1),
                       static_cast<int64_t>(batch)};
    }
    return;
  }
  const size_t slot = (registers.step - 1) % a.size(CollectAt::steps);
  const size_t first = (slot * batch + registers.batch_offset) * columns;
  if (rows * columns == 0) return;
  std::memcpy(a.view<float>(CollectAt::kept) + first, a.view<const float>(CollectAt::x),
              rows * columns * sizeof(float));
}

}  // namespace

constinit const Operation op_collect{"collect", CollectAt::all, false, check_collect, nullptr, run_collect};

}  // namespace carillon
