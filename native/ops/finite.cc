// The guard: the first number that is not finite ends the step as a fault, before anything is made of it.
#include <algorithm>
#include <atomic>
#include <cmath>

#include "operation.h"

namespace carillon {
namespace {

struct ExpectFiniteAt {
  static constexpr Operands all{"x:f left:f? right:f?",
                                "left_count:d? right_count:d? every:i ranges*(offset,count,check)", ""};
  static constexpr size_t x = all.view("x"), left = all.view("left"), right = all.view("right");
  static constexpr size_t left_count = all.integer("left_count"), right_count = all.integer("right_count"),
                          every = all.integer("every");
};

// x: where the numbers lie; left, right: the operands of the product that gave them, or none. It is looked every so
// many steps; a fault reports the number of a range's check.
constexpr size_t kHeadInts = ExpectFiniteAt::all.int_count;
constexpr size_t kRangeInts = ExpectFiniteAt::all.int_item;
constexpr size_t kBlock = 4096;  // elements between two looks at a sum: what a first-level cache holds
constexpr float kBounded = 1e30f;

struct Range {
  const float* x;
  size_t count;
  int64_t number;
};

size_t range_count(const Arguments& a) { return (a.int_count - kHeadInts) / kRangeInts; }

void check_expect_finite(const Arguments& a, Requirements& r) {
  if ((a.int_count - kHeadInts) % kRangeInts != 0) return r.fail("three integers a range are wanted");
  if (a.ints[ExpectFiniteAt::every] <= 0) return r.fail("looks every so many steps, at least 1");
  if ((a.views[ExpectFiniteAt::left] == nullptr) != (a.views[ExpectFiniteAt::right] == nullptr))
    return r.fail("both operands or none");
  size_t end = 0;
  for (size_t at = kHeadInts; at < a.int_count; at += kRangeInts) {
    if (a.ints[at] < 0 || a.ints[at + 1] < 0) return r.fail("a negative range");
    end = std::max(end, a.size(at) + a.size(at + 1));
  }
  r.need(ExpectFiniteAt::x, end);
  r.need(ExpectFiniteAt::left, a.size(ExpectFiniteAt::left_count));
  r.need(ExpectFiniteAt::right, a.size(ExpectFiniteAt::right_count));
}

// True if the sum of squares is small, in every chunk: then so are all elements, and none is NaN.
bool bounded(const Context& context, const float* x, size_t count) {
  const size_t chunks = context.parallel.chunks(count, kLeastElements);
  std::atomic<bool> small{true};
  context.parallel.run(chunks, [&](size_t chunk) {
    const size_t begin = count * chunk / chunks;
    const float squares = context.kernels.sum_squares_f32(x + begin, count * (chunk + 1) / chunks - begin);
    if (!(squares < kBounded)) small = false;
  });
  return small;
}

// Index of the first element in [begin, end) that is not finite, or end. A sum is finite only if all its terms are; one
// that is not may also have overflowed, so the elements decide.
size_t first_in(const Context& context, const float* x, size_t begin, size_t end) {
  for (size_t at = begin; at < end; at += kBlock) {
    const size_t stop = std::min(end, at + kBlock);
    if (std::isfinite(context.kernels.sum_f32(x + at, stop - at))) continue;
    for (size_t i = at; i < stop; ++i) {
      if (!std::isfinite(x[i])) return i;
    }
  }
  return end;
}

// Index of the first element of a range that is not finite, or its length, whoever finds it.
size_t first_not_finite(const Context& context, const Range& range) {
  const size_t chunks = context.parallel.chunks(range.count, kLeastElements);
  if (chunks == 1) return first_in(context, range.x, 0, range.count);
  std::atomic<size_t> first{range.count};
  context.parallel.run(chunks, [&](size_t chunk) {
    const size_t end = range.count * (chunk + 1) / chunks;
    const size_t found = first_in(context, range.x, range.count * chunk / chunks, end);
    if (found == end) return;
    size_t known = first.load();
    while (found < known && !first.compare_exchange_weak(known, found)) {
    }
  });
  return first;
}

void run_expect_finite(const Context& context, const Arguments& a) {
  if (context.registers.step % a.size(ExpectFiniteAt::every) != 0) return;
  // |Σ l·r| ≤ ‖l‖·‖r‖, for every part of the sum too: operands of small squares give a finite product.
  const auto* left = a.view<const float>(ExpectFiniteAt::left);
  if (left != nullptr && bounded(context, left, a.size(ExpectFiniteAt::left_count)) &&
      bounded(context, a.view<const float>(ExpectFiniteAt::right), a.size(ExpectFiniteAt::right_count))) {
    return;
  }
  for (size_t i = 0; i < range_count(a); ++i) {
    const size_t at = kHeadInts + kRangeInts * i;
    const Range range{a.view<const float>(ExpectFiniteAt::x) + a.size(at), a.size(at + 1), a.ints[at + 2]};
    const size_t index = first_not_finite(context, range);
    if (index == range.count) continue;
    const float value = range.x[index];
    context.fault = {"finite", index, range.number, std::isnan(value) ? 0 : value > 0 ? 1 : -1};
    return;
  }
}

}  // namespace

constinit const Operation op_expect_finite{"expect_finite", ExpectFiniteAt::all, false, check_expect_finite,
                                           nullptr,         run_expect_finite};

}  // namespace carillon
