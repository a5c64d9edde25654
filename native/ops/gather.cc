// The rows of a batch, in the order of the epoch: rows of one length, and lists of any.
#include "gather.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "rows.h"

namespace carillon {
namespace {

// ---- Rows of one length ----------------------------------------------------------------------------------------

// `dtype` of the source, `scale` of u8. y[r] = source[order[position + r]]
void check_gather(const Arguments& a, Requirements& r) {
  if (a.ints[GatherAt::dtype] < 0 || a.ints[GatherAt::dtype] > 2) r.fail("no such dtype");
  r.need(GatherAt::source, a.size(GatherAt::source_rows), a.size(GatherAt::columns));
  r.need(GatherAt::order, a.size(GatherAt::rows));
  r.need(GatherAt::y, a.size(GatherAt::rows), a.size(GatherAt::columns));
}

// Rows of a data set are longer than those of most tables: fewer of them are asked for, and more of each.
constexpr size_t kExamplesAhead = 2;
constexpr size_t kFetchedOfExample = 4096;

// Copies rows order[begin … end) of `source`, `bytes` long each, to rows begin … end of y.
void gather_rows(const std::byte* source, const int32_t* order, std::byte* y, size_t bytes, size_t begin, size_t end) {
  const auto from = [&](size_t row) { return source + static_cast<size_t>(order[row]) * bytes; };
  if (bytes == sizeof(uint32_t)) {  // labels and weights: a call of memcpy would cost more than the copy
    for (size_t row = begin; row < end; ++row) std::memcpy(y + row * sizeof(uint32_t), from(row), sizeof(uint32_t));
    return;
  }
  for (size_t row = begin; row < end; ++row) {
    if (row + kExamplesAhead < end) fetch_row(from(row + kExamplesAhead), bytes, kFetchedOfExample);
    std::memcpy(y + row * bytes, from(row), bytes);
  }
}

void run_gather(const Context& context, const Arguments& a) {
  const size_t rows = a.size(GatherAt::rows);
  const size_t columns = a.size(GatherAt::columns);
  const auto source_rows = static_cast<int64_t>(a.size(GatherAt::source_rows));
  const auto* order = a.view<const int32_t>(GatherAt::order) + context.registers.position;
  for (size_t row = 0; row < rows; ++row) {
    if (order[row] < 0 || order[row] >= source_rows) {
      if (context.fault.what == nullptr) context.fault = {"index", row, order[row], source_rows};
      return;
    }
  }
  const auto scale = static_cast<float>(a.doubles[GatherAt::scale]);
  const size_t least = columns == 0 ? std::max<size_t>(rows, 1) : (kLeastElements + columns - 1) / columns;
  const size_t chunks = context.parallel.chunks(rows, least);
  context.parallel.run(chunks, [&](size_t chunk) {
    const size_t begin = rows * chunk / chunks;
    const size_t end = rows * (chunk + 1) / chunks;
    if (static_cast<Dtype>(a.ints[GatherAt::dtype]) != Dtype::u8) {
      gather_rows(a.view<const std::byte>(GatherAt::source), order, a.view<std::byte>(GatherAt::y),
                  columns * sizeof(float), begin, end);
      return;
    }
    const auto* source = a.view<const uint8_t>(GatherAt::source);
    for (size_t row = begin; row < end; ++row) {
      context.kernels.convert_u8_f32(source + static_cast<size_t>(order[row]) * columns, scale,
                                     a.view<float>(GatherAt::y) + row * columns, columns);
    }
  });
}

// ---- Lists ----------------------------------------------------------------------------------------------------

struct List {
  size_t begin = 0;
  size_t count = 0;
};

struct ListsOfRows {
  const Context& context;
  const int32_t* bounds;
  const int32_t* order;
  size_t source_rows;
  size_t width;
  size_t entries;

  // The list of a row in the order of the epoch; a fault, and nothing, where there is no such row, or its bounds are
  // none.
  List at(size_t row) const {
    const int64_t from = order[row];
    if (from < 0 || static_cast<size_t>(from) >= source_rows)
      return refuse(row, from, static_cast<int64_t>(source_rows));
    if (width != 0) {
      const int64_t count = bounds[from];
      if (count < 0 || static_cast<size_t>(count) > width) return refuse(row, count, static_cast<int64_t>(width) + 1);
      return {static_cast<size_t>(from) * width, static_cast<size_t>(count)};
    }
    const int64_t begin = bounds[from], end = bounds[from + 1];
    if (begin < 0 || end < begin || static_cast<size_t>(end) > entries)
      return refuse(row, end, static_cast<int64_t>(entries) + 1);
    return {static_cast<size_t>(begin), static_cast<size_t>(end - begin)};
  }

  List refuse(size_t row, int64_t value, int64_t limit) const {
    if (context.fault.what == nullptr) context.fault = {"index", row, value, limit};
    return {};
  }
};

void check_gather_ends(const Arguments& a, Requirements& r) {
  if (a.ints[GatherEndsAt::width] < 0) return r.fail("a negative width");
  r.need(GatherEndsAt::bounds, a.size(GatherEndsAt::source_rows) + (a.ints[GatherEndsAt::width] == 0 ? 1 : 0));
  r.need(GatherEndsAt::order, a.size(GatherEndsAt::rows));
  r.need(GatherEndsAt::ends, a.size(GatherEndsAt::rows));
}

// ends[r] = Σ of the lengths of the lists order[position … position + r].
void run_gather_ends(const Context& context, const Arguments& a) {
  constexpr size_t kMost = std::numeric_limits<int32_t>::max();
  const ListsOfRows lists{context,
                          a.view<const int32_t>(GatherEndsAt::bounds),
                          a.view<const int32_t>(GatherEndsAt::order) + context.registers.position,
                          a.size(GatherEndsAt::source_rows),
                          a.size(GatherEndsAt::width),
                          kMost};
  auto* ends = a.view<int32_t>(GatherEndsAt::ends);
  size_t end = 0;
  for (size_t row = 0; row < a.size(GatherEndsAt::rows); ++row) {
    end += lists.at(row).count;
    if (end > kMost) {
      lists.refuse(row, static_cast<int64_t>(end), static_cast<int64_t>(kMost) + 1);
      end = 0;
    }
    ends[row] = static_cast<int32_t>(end);
  }
}

void check_gather_lists(const Arguments& a, Requirements& r) {
  for (const size_t at : {GatherListsAt::width, GatherListsAt::entries, GatherListsAt::room}) {
    if (a.ints[at] < 0) return r.fail("a negative size");
  }
  const size_t rows = a.size(GatherListsAt::source_rows), width = a.size(GatherListsAt::width);
  r.need(GatherListsAt::source, a.size(GatherListsAt::entries));
  if (width != 0) r.need(GatherListsAt::source, rows, width);
  r.need(GatherListsAt::bounds, rows + (width == 0 ? 1 : 0));
  r.need(GatherListsAt::order, a.size(GatherListsAt::rows));
  r.need(GatherListsAt::y, a.size(GatherListsAt::room));
}

// y: the lists order[position …] one behind the other.
void run_gather_lists(const Context& context, const Arguments& a) {
  const ListsOfRows lists{context,
                          a.view<const int32_t>(GatherListsAt::bounds),
                          a.view<const int32_t>(GatherListsAt::order) + context.registers.position,
                          a.size(GatherListsAt::source_rows),
                          a.size(GatherListsAt::width),
                          a.size(GatherListsAt::entries)};
  const size_t rows = a.size(GatherListsAt::rows), room = a.size(GatherListsAt::room);
  const auto* source = a.view<const uint32_t>(GatherListsAt::source);
  auto* y = a.view<uint32_t>(GatherListsAt::y);
  List next = rows == 0 ? List{} : lists.at(0);
  for (size_t row = 0, at = 0; row < rows; ++row) {
    const auto [begin, count] = next;
    if (row + 1 < rows) {
      next = lists.at(row + 1);
      fetch_row(source + next.begin, next.count * sizeof(uint32_t));
    }
    if (context.fault.what != nullptr) return;
    if (count > room - at) {
      lists.refuse(row, static_cast<int64_t>(at + count), static_cast<int64_t>(room) + 1);
      return;
    }
    std::memcpy(y + at, source + begin, count * sizeof(uint32_t));
    at += count;
  }
}

}  // namespace

constinit const Operation op_gather{"gather", GatherAt::all, false, check_gather, nullptr, run_gather};
constinit const Operation op_gather_ends{"gather_ends",     GatherEndsAt::all, false,
                                         check_gather_ends, nullptr,           run_gather_ends};
constinit const Operation op_gather_lists{"gather_lists", GatherListsAt::all, false, check_gather_lists,
                                          nullptr,        run_gather_lists};

}  // namespace carillon
