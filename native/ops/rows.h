// Gradients in rows: of a table of which few rows were looked up, those rows and what flows back into each.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "../runtime/memory.h"
#include "operation.h"

namespace carillon {

// Numbers of the rows that have a gradient, ascending, each once; the gradient of rows[i] is the i-th of its own array.
struct TouchedRows {
  const int32_t* rows;
  size_t count;

  // The first of them that is not before `row`.
  size_t from(size_t row) const {
    size_t low = 0;
    for (size_t high = count; low < high;) {
      const size_t middle = (low + high) / 2;
      if (static_cast<size_t>(rows[middle]) < row) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }
};

// What views of a count and of row numbers hold, at most `room` rows of a table of `table_rows`. A fault, and nothing,
// where they are no such list.
inline TouchedRows touched_rows(const Context& context, const int32_t* count, const int32_t* rows, size_t room,
                                size_t table_rows) {
  int64_t before = -1;
  const bool fits = *count >= 0 && static_cast<size_t>(*count) <= room;
  for (int32_t i = 0; fits && i < *count; ++i) {
    if (rows[i] <= before || static_cast<size_t>(rows[i]) >= table_rows) {
      if (context.fault.what == nullptr)
        context.fault = {"index", static_cast<size_t>(i), rows[i], static_cast<int64_t>(table_rows)};
      return {rows, 0};
    }
    before = rows[i];
  }
  if (fits) return {rows, static_cast<size_t>(*count)};
  if (context.fault.what == nullptr) context.fault = {"index", 0, *count, static_cast<int64_t>(room) + 1};
  return {rows, 0};
}

// Rows lie anywhere in memory: their lines are asked for while the rows before them are worked on.
inline constexpr size_t kRowsAhead = 8;

// Of one row so many bytes at most: the hardware follows by then.
inline constexpr size_t kFetchedBytes = 1024;

// Asks for a row that is read, or `written` too. Inlined always: GCC takes a function of nothing but prefetches for one
// without effect, and drops calls of it.
template <bool written = false>
[[gnu::always_inline]] inline void fetch_row(const void* row, size_t bytes, size_t most = kFetchedBytes) {
  const auto* at = static_cast<const std::byte*>(row);
  for (size_t i = 0; i < std::min(bytes, most); i += kAlignment) __builtin_prefetch(at + i, written ? 1 : 0);
}

// Rows that an int32 can name.
inline constexpr size_t kMostRows = size_t{1} << 31;

// False, with the fault recorded, when an index is no row of the table: nothing has been read or written then. `width`
// indices are a row of the batch, which a fault names; where there may be gaps −1 is one.
inline bool indices_fit(const Context& context, const int32_t* indices, size_t count, size_t table_rows, size_t width,
                        bool gaps = false) {
  // All at once without a jump; the first that does not fit is looked for where there is one.
  const uint32_t gap = gaps ? 1 : 0;
  const uint32_t limit = static_cast<uint32_t>(std::min<size_t>(table_rows, kMostRows)) + gap;
  uint32_t outside = 0;
  for (size_t i = 0; i < count; ++i) outside |= static_cast<uint32_t>(indices[i]) + gap < limit ? 0 : 1;
  if (outside == 0) return true;
  for (size_t i = 0; i < count; ++i) {
    if (indices[i] >= 0 ? static_cast<size_t>(indices[i]) < table_rows : gaps && indices[i] == -1) continue;
    if (context.fault.what == nullptr) {
      context.fault = {"index", i / width, indices[i], static_cast<int64_t>(table_rows)};
      context.fault.column = width == 1 ? -1 : static_cast<int64_t>(i % width);
    }
    return false;
  }
  return true;
}

// Ids that belong together: `width` of them each, or, where there are ends, those of list i up to ends[i], `width` in
// all at most.
struct IdLists {
  const int32_t* ends;
  size_t count;
  size_t width;

  size_t begin(size_t list) const {
    if (ends == nullptr) return list * width;
    return list == 0 ? 0 : static_cast<size_t>(ends[list - 1]);
  }
  size_t end(size_t list) const { return begin(list + 1); }
  size_t entries() const { return begin(count); }

  // False, with the fault recorded, where ends fall, or an id is no row of the table, as indices_fit says.
  bool fit(const Context& context, const int32_t* ids, size_t table_rows, bool gaps) const {
    if (ends == nullptr) return indices_fit(context, ids, count * width, table_rows, width, gaps);
    int64_t before = 0;
    for (size_t list = 0; list < count; ++list) {
      if (ends[list] < before || static_cast<size_t>(ends[list]) > width) {
        if (context.fault.what == nullptr) context.fault = {"index", list, ends[list], static_cast<int64_t>(width) + 1};
        return false;
      }
      before = ends[list];
    }
    if (indices_fit(context, ids, entries(), table_rows, 1, gaps)) return true;
    // That the fault is in: its row was the place among all.
    size_t list = 0;
    while (list + 1 < count && end(list) <= context.fault.row) ++list;
    context.fault.column = static_cast<int64_t>(context.fault.row - begin(list));
    context.fault.row = list;
    return false;
  }
};

}  // namespace carillon
