// Gradients in rows of tables, and what is made of them besides an update: their sum over parts of a batch, their norm.
#include "rows.h"

#include <algorithm>
#include <cstring>

#include "scatter.h"

namespace carillon {
namespace {

// ---- From what flows back into the rows that were looked up ----------------------------------------------------

struct ScatterRowsAt {
  static constexpr Operands all{"gradient:f indices:i weights:f? ends:i? count:I rows:I sums:F",
                                "count:d lists:d? table_rows:i columns:i width:i padding:i?-1 bags:bags? gaps:b?", ""};
  static constexpr size_t touched = all.view("count"), rows = all.view("rows"), sums = all.view("sums");
};

void check_scatter_rows(const Arguments& a, Requirements& r) {
  check_scatter(a, r);
  r.need(ScatterRowsAt::touched, 1);
  r.need(ScatterRowsAt::rows, a.size(ScatterAt::count));
  r.need(ScatterRowsAt::sums, a.size(ScatterAt::count), a.size(ScatterAt::columns));
}

void run_scatter_rows(const Context& context, const Arguments& a) {
  auto* count = a.view<int32_t>(ScatterRowsAt::touched);
  *count = 0;
  const Scattered scattered = scatter(context, a);
  auto* rows = a.view<int32_t>(ScatterRowsAt::rows);
  std::copy_n(scattered.rows, scattered.touched, rows);
  *count = static_cast<int32_t>(scattered.touched);
  auto* sums = a.view<float>(ScatterRowsAt::sums);
  const size_t columns = a.size(ScatterAt::columns);
  const size_t chunks = std::min(std::max<size_t>(scattered.touched, 1),
                                 context.parallel.chunks(scattered.entries * columns, kLeastElements));
  context.parallel.run(chunks, [&](size_t chunk) {
    const size_t begin = scattered.touched * chunk / chunks;
    scattered.sum(context.kernels, begin, scattered.touched * (chunk + 1) / chunks, sums + begin * columns);
  });
}

// ---- Sums of two -----------------------------------------------------------------------------------------------

struct MergeRowsAt {
  static constexpr Operands all{"count:i rows:i sums:f total_count:I total_rows:I total_sums:M",
                                "room:i total_room:i table_rows:i columns:i", ""};
  static constexpr size_t count = all.view("count"), rows = all.view("rows"), sums = all.view("sums"),
                          total_count = all.view("total_count"), total_rows = all.view("total_rows"),
                          total_sums = all.view("total_sums");
  static constexpr size_t room = all.integer("room"), total_room = all.integer("total_room"),
                          table_rows = all.integer("table_rows"), columns = all.integer("columns");
};

void check_merge_rows(const Arguments& a, Requirements& r) {
  for (const size_t at : {MergeRowsAt::room, MergeRowsAt::total_room, MergeRowsAt::table_rows, MergeRowsAt::columns}) {
    if (a.ints[at] < 0) return r.fail("a negative size");
  }
  r.need(MergeRowsAt::count, 1);
  r.need(MergeRowsAt::rows, a.size(MergeRowsAt::room));
  r.need(MergeRowsAt::sums, a.size(MergeRowsAt::room), a.size(MergeRowsAt::columns));
  r.need(MergeRowsAt::total_count, 1);
  r.need(MergeRowsAt::total_rows, a.size(MergeRowsAt::total_room));
  r.need(MergeRowsAt::total_sums, a.size(MergeRowsAt::total_room), a.size(MergeRowsAt::columns));
}

// total = total + part, row by row: where only one has a row, its sum as it is. From the last row down, so that nothing
// is overwritten before it has moved.
void run_merge_rows(const Context& context, const Arguments& a) {
  const size_t columns = a.size(MergeRowsAt::columns), table_rows = a.size(MergeRowsAt::table_rows);
  auto* total_count = a.view<int32_t>(MergeRowsAt::total_count);
  auto* rows = a.view<int32_t>(MergeRowsAt::total_rows);
  auto* sums = a.view<float>(MergeRowsAt::total_sums);
  const auto* part_sums = a.view<const float>(MergeRowsAt::sums);
  const TouchedRows part =
      touched_rows(context, a.view<const int32_t>(MergeRowsAt::count), a.view<const int32_t>(MergeRowsAt::rows),
                   a.size(MergeRowsAt::room), table_rows);
  const TouchedRows total = touched_rows(context, total_count, rows, a.size(MergeRowsAt::total_room), table_rows);
  if (context.fault.what != nullptr) return;
  size_t both = 0;
  for (size_t i = 0, j = 0; i < part.count && j < total.count;) {
    const int32_t one = part.rows[i], other = rows[j];
    both += one == other ? 1 : 0;
    i += one <= other ? 1 : 0;
    j += other <= one ? 1 : 0;
  }
  size_t at = part.count + total.count - both;
  if (at > a.size(MergeRowsAt::total_room)) {
    context.fault = {"index", 0, static_cast<int64_t>(at), static_cast<int64_t>(a.size(MergeRowsAt::total_room)) + 1};
    return;
  }
  *total_count = static_cast<int32_t>(at);
  const auto add = context.kernels.binary[static_cast<size_t>(Binary::add)].vector_vector;
  for (size_t i = part.count, j = total.count; i > 0;) {
    --at;
    float* sum = sums + at * columns;
    if (j > 0 && rows[j - 1] >= part.rows[i - 1]) {
      --j;
      const bool shared = rows[j] == part.rows[i - 1];
      rows[at] = rows[j];
      if (at != j) std::memcpy(sum, sums + j * columns, columns * sizeof(float));
      if (shared) add(sum, part_sums + --i * columns, sum, columns);
    } else {
      --i;
      rows[at] = part.rows[i];
      std::memcpy(sum, part_sums + i * columns, columns * sizeof(float));
    }
  }
}

// ---- The sum of squares ----------------------------------------------------------------------------------------

struct RowsSquaresAt {
  static constexpr Operands all{"count:i rows:i sums:f sum:F", "room:i table_rows:i columns:i", ""};
  static constexpr size_t count = all.view("count"), rows = all.view("rows"), sums = all.view("sums"),
                          sum = all.view("sum");
  static constexpr size_t room = all.integer("room"), table_rows = all.integer("table_rows"),
                          columns = all.integer("columns");
};

// The sum of a block of the dense reduction, or of several in a row of its tree.
struct BlockSum {
  size_t block;
  float sum;
};

void check_rows_squares(const Arguments& a, Requirements& r) {
  for (const size_t at : {RowsSquaresAt::room, RowsSquaresAt::table_rows, RowsSquaresAt::columns}) {
    if (a.ints[at] < 0) return r.fail("a negative size");
  }
  r.need(RowsSquaresAt::count, 1);
  r.need(RowsSquaresAt::rows, a.size(RowsSquaresAt::room));
  r.need(RowsSquaresAt::sums, a.size(RowsSquaresAt::room), a.size(RowsSquaresAt::columns));
  r.need(RowsSquaresAt::sum, 1);
}

// A row reaches into so many blocks at most.
size_t scratch_rows_squares(const Arguments& a, const KernelTable& /*kernels*/) {
  return a.size(RowsSquaresAt::room) * (a.size(RowsSquaresAt::columns) / kReduceBlock + 2) * sizeof(BlockSum);
}

// Σ of the tree of NUMERICS, of which all other blocks are 0: adding +0 to a sum of squares changes nothing.
float tree_sum(BlockSum* sums, size_t count) {
  if (count == 0) return 0.0f;
  while (count > 1 || sums[0].block != 0) {
    size_t kept = 0;
    for (size_t i = 0; i < count; ++kept) {
      const size_t above = sums[i].block / 2;
      float sum = sums[i].sum;
      if (++i < count && sums[i].block / 2 == above) sum = sum + sums[i++].sum;
      sums[kept] = {above, sum};
    }
    count = kept;
  }
  return sums[0].sum;
}

void run_rows_squares(const Context& context, const Arguments& a) {
  const size_t columns = a.size(RowsSquaresAt::columns), table_rows = a.size(RowsSquaresAt::table_rows);
  const auto* gradient = a.view<const float>(RowsSquaresAt::sums);
  const TouchedRows touched =
      touched_rows(context, a.view<const int32_t>(RowsSquaresAt::count), a.view<const int32_t>(RowsSquaresAt::rows),
                   a.size(RowsSquaresAt::room), table_rows);
  auto* sums = static_cast<BlockSum*>(context.scratch);
  size_t blocks = 0;
  // What the touched rows have of the current block: as it lies in the dense gradient, or, where every row begins at a
  // lane 0, without the zeros between the rows, which change no lane.
  const bool whole_lanes = columns % 16 == 0;
  float block[kReduceBlock];
  const float* from = block;
  size_t held = kReduceBlock;
  size_t current = table_rows * columns;
  const auto close = [&] {
    if (current < table_rows * columns)
      sums[blocks++] = {current / kReduceBlock, context.kernels.sum_squares_f32(from, held)};
  };
  for (size_t i = 0; i < touched.count; ++i) {
    const size_t first = static_cast<size_t>(touched.rows[i]) * columns;
    for (size_t done = 0; done < columns;) {
      const size_t begin = (first + done) / kReduceBlock * kReduceBlock;
      if (begin != current) {
        close();
        current = begin;
        if (whole_lanes) {
          from = gradient + i * columns + done;
          held = 0;
        } else {
          std::fill_n(block, kReduceBlock, 0.0f);
        }
      }
      const size_t length = std::min(columns - done, begin + kReduceBlock - first - done);
      if (whole_lanes) {
        held += length;
      } else {
        std::memcpy(block + (first + done - begin), gradient + i * columns + done, length * sizeof(float));
      }
      done += length;
    }
  }
  close();
  *a.view<float>(RowsSquaresAt::sum) = tree_sum(sums, blocks);
}

}  // namespace

constinit const Operation op_scatter_rows{"scatter_rows",     ScatterRowsAt::all, false,
                                          check_scatter_rows, scratch_scatter,    run_scatter_rows};
constinit const Operation op_merge_rows{"merge_rows",     MergeRowsAt::all, false,
                                        check_merge_rows, nullptr,          run_merge_rows};
constinit const Operation op_rows_squares{"rows_squares",     RowsSquaresAt::all,   false,
                                          check_rows_squares, scratch_rows_squares, run_rows_squares};

}  // namespace carillon
