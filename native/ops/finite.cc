// The guard: the first number that is not finite ends the step as a fault, before anything is made of it.
#include <algorithm>
#include <atomic>
#include <cmath>

#include "scatter.h"

namespace carillon {
namespace {

struct ExpectFiniteAt {
  static constexpr Operands all{"x:f left:f? right:f? count:i? rows:i? indices:i? weights:f? ends:i?",
                                "left_count:d? right_count:d? count:d? lists:d? every:i room:i? columns:i? compact:b? "
                                "width:i? padding:i?-1 bags:bags? "
                                "gaps:b? ranges*(offset,count,check)",
                                ""};
  static constexpr size_t x = all.view("x"), left = all.view("left"), right = all.view("right"),
                          touched = all.view("count"), row_numbers = all.view("rows");
  static constexpr size_t left_count = all.integer("left_count"), right_count = all.integer("right_count"),
                          every = all.integer("every"), room = all.integer("room"), columns = all.integer("columns"),
                          compact = all.integer("compact");
  // Of look_ups().
  static constexpr size_t gradient = x, indices = all.view("indices"), weights = all.view("weights"),
                          ends = all.view("ends");
  static constexpr size_t count = all.integer("count"), lists = all.integer("lists"), width = all.integer("width"),
                          padding = all.integer("padding"), bags = all.integer("bags"), gaps = all.integer("gaps");
};

// x: where the numbers lie; left, right: numbers of which the looked at ones are products or sums of products, or none:
// where all of these are small, those are finite. It is looked every so many steps; a fault reports the number of a
// range's check. With row numbers the one range is a table, of which only these rows are looked at: where they stand,
// or, `compact`, one after another. With indices likewise; `compact`, x is what flows back from these look-ups.
constexpr size_t kHeadInts = ExpectFiniteAt::all.int_count;
constexpr size_t kRangeInts = ExpectFiniteAt::all.int_item;
constexpr size_t kBlock = 4096;  // elements between two looks at a sum: what a first-level cache holds
constexpr float kBounded = 1e30f;

struct Range {
  const float* x;
  size_t count;
  int64_t number;
};

bool in_rows(const Arguments& a) {
  return a.views[ExpectFiniteAt::row_numbers] != nullptr || a.views[ExpectFiniteAt::indices] != nullptr;
}

size_t range_count(const Arguments& a) { return (a.int_count - kHeadInts) / kRangeInts; }

void check_expect_finite(const Arguments& a, Requirements& r) {
  if (a.ints[ExpectFiniteAt::every] <= 0) return r.fail("looks every so many steps, at least 1");
  if ((a.views[ExpectFiniteAt::left] == nullptr) != (a.views[ExpectFiniteAt::right] == nullptr))
    return r.fail("both operands or none");
  const bool summed = a.views[ExpectFiniteAt::row_numbers] != nullptr;
  if (summed != (a.views[ExpectFiniteAt::touched] != nullptr)) return r.fail("rows and their count go together");
  if (summed && a.views[ExpectFiniteAt::indices] != nullptr) return r.fail("rows or look-ups are wanted");
  const bool scattered = in_rows(a);
  const bool compact = scattered && a.ints[ExpectFiniteAt::compact] != 0;
  size_t end = 0;
  for (size_t at = kHeadInts; at < a.int_count; at += kRangeInts) {
    if (a.ints[at] < 0 || a.ints[at + 1] < 0) return r.fail("a negative range");
    end = std::max(end, a.size(at) + (compact ? 0 : a.size(at + 1)));
  }
  if (scattered) {
    if (range_count(a) != 1 || a.ints[ExpectFiniteAt::columns] < 1 || a.ints[ExpectFiniteAt::room] < 0 ||
        (!compact && a.ints[kHeadInts] != 0)) {
      return r.fail("one table and its rows are wanted");
    }
    if (summed) {
      r.need(ExpectFiniteAt::touched, 1);
      r.need(ExpectFiniteAt::row_numbers, a.size(ExpectFiniteAt::room));
      if (compact) end += a.size(ExpectFiniteAt::room) * a.size(ExpectFiniteAt::columns);  // both are int32 words
    } else {
      check_look_ups<ExpectFiniteAt>(a, r, a.size(ExpectFiniteAt::columns));
      if (compact) end = r.counts[ExpectFiniteAt::x];
    }
  }
  r.need(ExpectFiniteAt::x, end);
  r.need(ExpectFiniteAt::left, a.size(ExpectFiniteAt::left_count));
  r.need(ExpectFiniteAt::right, a.size(ExpectFiniteAt::right_count));
}

// A row of what flows back is summed here, and what scatter() takes.
size_t scratch_expect_finite(const Arguments& a, const KernelTable& /*kernels*/) {
  if (a.views[ExpectFiniteAt::indices] == nullptr || a.ints[ExpectFiniteAt::compact] == 0) return 0;
  return scatter_bytes<ExpectFiniteAt>(a) + (a.size(ExpectFiniteAt::columns) + 1) * sizeof(float);
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

// The first of `count` that find(begin, end) finds, which gives `end` where it finds none; `count` where nobody finds
// one. At least `least` of them are worth a thread.
template <class Find>
size_t first_found(const Context& context, size_t count, size_t least, const Find& find) {
  const size_t chunks = context.parallel.chunks(count, least);
  if (chunks == 1) return find(size_t{0}, count);
  std::atomic<size_t> first{count};
  context.parallel.run(chunks, [&](size_t chunk) {
    const size_t end = count * (chunk + 1) / chunks;
    const size_t found = find(count * chunk / chunks, end);
    if (found == end) return;
    size_t known = first.load();
    while (found < known && !first.compare_exchange_weak(known, found)) {
    }
  });
  return first;
}

// Index of the first element of a range that is not finite, or its length.
size_t first_not_finite(const Context& context, const Range& range) {
  return first_found(context, range.count, kLeastElements,
                     [&](size_t begin, size_t end) { return first_in(context, range.x, begin, end); });
}

// The same of the rows of a table that were touched; the index, and what stands there.
size_t first_in_rows(const Context& context, const Arguments& a, const Range& table, float& value) {
  const size_t columns = a.size(ExpectFiniteAt::columns);
  const TouchedRows touched = touched_rows(context, a.view<const int32_t>(ExpectFiniteAt::touched),
                                           a.view<const int32_t>(ExpectFiniteAt::row_numbers),
                                           a.size(ExpectFiniteAt::room), table.count / columns);
  const bool compact = a.ints[ExpectFiniteAt::compact] != 0;
  const auto row_at = [&](size_t i) {
    return table.x + (compact ? i : static_cast<size_t>(touched.rows[i])) * columns;
  };
  const size_t least = (kLeastElements + columns - 1) / columns;
  const size_t found = first_found(context, touched.count, least, [&](size_t begin, size_t end) {
    if (compact) return begin + first_in(context, row_at(begin), 0, (end - begin) * columns) / columns;
    size_t i = begin;
    for (; i < end; ++i) {
      if (i + kRowsAhead < end) fetch_row(row_at(i + kRowsAhead), columns * sizeof(float));
      if (first_in(context, row_at(i), 0, columns) != columns) break;
    }
    return i;
  });
  if (found == touched.count) return table.count;
  const size_t column = first_in(context, row_at(found), 0, columns);
  value = row_at(found)[column];
  return static_cast<size_t>(touched.rows[found]) * columns + column;
}

// The same of rows that look-ups have named. Seldom asked: mostly `left` and `right` have told that all is finite.
size_t first_in_look_ups(const Context& context, const Arguments& a, const Range& table, float& value) {
  const size_t columns = a.size(ExpectFiniteAt::columns);
  const LookUps of = look_ups<ExpectFiniteAt>(a, table.count / columns, columns);
  if (a.ints[ExpectFiniteAt::compact] == 0) {
    const IdLists lists = of.in_lists();
    if (!lists.fit(context, of.indices, of.table_rows, of.gaps)) return table.count;
    size_t first = table.count;
    for (size_t i = 0; i < lists.entries(); ++i) {
      if (of.indices[i] < 0) continue;
      const size_t row = static_cast<size_t>(of.indices[i]) * columns;
      if (row > first) continue;
      const size_t at = first_in(context, table.x, row, row + columns);
      if (at != row + columns) first = std::min(first, at);
    }
    if (first < table.count) value = table.x[first];
    return first;
  }
  auto* const sum = static_cast<float*>(context.scratch);
  // Lists begin at a multiple of 8 bytes.
  const Scattered scattered = scatter(context, of, sum + (columns + 1) / 2 * 2);
  for (size_t i = 0; i < scattered.touched; ++i) {
    scattered.sum(context.kernels, i, i + 1, sum);
    const size_t column = first_in(context, sum, 0, columns);
    if (column == columns) continue;
    value = sum[column];
    return static_cast<size_t>(scattered.rows[i]) * columns + column;
  }
  return table.count;
}

void run_expect_finite(const Context& context, const Arguments& a) {
  if (context.registers.step % a.size(ExpectFiniteAt::every) != 0) return;
  // |Σ l·r| ≤ ‖l‖·‖r‖, for every part of the sum too: operands of small squares give a finite product. So does what
  // flows back with itself, or with the weights of a bag: a term is there as often as its row is named at most.
  const auto* left = a.view<const float>(ExpectFiniteAt::left);
  const auto* right = a.view<const float>(ExpectFiniteAt::right);
  if (left != nullptr && bounded(context, left, a.size(ExpectFiniteAt::left_count)) &&
      (right == left || bounded(context, right, a.size(ExpectFiniteAt::right_count)))) {
    return;
  }
  for (size_t i = 0; i < range_count(a); ++i) {
    const size_t at = kHeadInts + kRangeInts * i;
    const Range range{a.view<const float>(ExpectFiniteAt::x) + a.size(at), a.size(at + 1), a.ints[at + 2]};
    float value = 0;
    size_t index = 0;
    if (a.views[ExpectFiniteAt::indices] != nullptr) {
      index = first_in_look_ups(context, a, range, value);
    } else if (in_rows(a)) {
      index = first_in_rows(context, a, range, value);
    } else {
      index = first_not_finite(context, range);
    }
    if (index == range.count || context.fault.what != nullptr) continue;
    if (!in_rows(a)) value = range.x[index];
    context.fault = {"finite", index, range.number, std::isnan(value) ? 0 : value > 0 ? 1 : -1};
    return;
  }
}

}  // namespace

constinit const Operation op_expect_finite{"expect_finite",     ExpectFiniteAt::all,   false,
                                           check_expect_finite, scratch_expect_finite, run_expect_finite};

}  // namespace carillon
