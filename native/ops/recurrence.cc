// Recurrence over a sequence: the loop over its steps stands inside of the operation. With z = W·x + b of all steps as
// one product and t = R·fed, fed = h·mask (h where there is no mask), gates stacked in rows of W and R:
//   lstm        i, f, o = σ(z + t), g = tanh(z + t), c = f·c + i·g, h = o·tanh(c)
//   gru         r, u = σ(z + t), n = tanh(z + r·(t + candidate)), h = n + u·(h − n)
//   gru_before  r, u = σ(z + t), n = tanh(z + R_n·(r·fed)), h = n + u·(h − n)
//   rnn         h = f(z + t)
// Where a product and a sum stand together they are one rounding. Examples are computed apart from each other, so they
// are split over threads once, each with all of its steps.
#include <algorithm>
#include <cstring>

#include "../runtime/memory.h"
#include "gemm_run.h"
#include "lengths.h"
#include "operation.h"
#include "strided_product.h"

namespace carillon {
namespace {

// ---- What a cell is

constexpr bool is_gru(Cell cell) { return cell == Cell::gru || cell == Cell::gru_before; }
// Rows of W and R, in units of `hidden`.
constexpr size_t stacked_of(Cell cell) { return cell == Cell::lstm ? 4 : is_gru(cell) ? 3 : 1; }
// What is kept of a step, beside the cell of an LSTM.
constexpr size_t kept_of(Cell cell) { return cell == Cell::lstm || is_gru(cell) ? 4 : 1; }

// Floats between rows that products read, more than they are long: rows of 4 KB would share a set of the cache.
constexpr size_t kApart = 16;
// Examples that a thread takes through all steps at once, at most: three tiles of AVX-512.
constexpr size_t kMostTogether = 32;

struct Sizes {
  Cell cell;
  size_t rows, steps, inputs, hidden;
  bool backward;      // from the last step to the first
  bool update_first;  // of the gates of a GRU

  size_t stacked() const { return stacked_of(cell) * hidden; }
  size_t kept() const { return kept_of(cell) * hidden; }
  size_t reset() const { return update_first ? hidden : 0; }
  size_t update() const { return update_first ? 0 : hidden; }
  // Rows of R whose product is taken of the state; the others are of r·state.
  size_t first() const { return cell == Cell::gru_before ? 2 * hidden : stacked(); }
};

template <typename At>
Sizes sizes_of(const Arguments& a) {
  return {static_cast<Cell>(a.ints[At::cell]),
          a.size(At::rows),
          a.size(At::steps),
          a.size(At::inputs),
          a.size(At::hidden),
          a.ints[At::reverse] != 0,
          a.ints[At::update_first] != 0};
}

template <typename At>
bool check_sizes(const Arguments& a, Requirements& r) {
  if (a.ints[At::cell] < 0 || a.ints[At::cell] >= static_cast<int64_t>(Cell::count)) {
    r.fail("no such cell");
    return false;
  }
  for (const size_t i : {At::steps, At::inputs, At::hidden}) {
    if (a.ints[i] < 1 || a.ints[i] > (int64_t{1} << 26)) {
      r.fail("a recurrence of nothing");
      return false;
    }
  }
  if (a.size(At::rows) > (size_t{1} << 40) / a.size(At::steps) / a.size(At::hidden)) {
    r.fail("dimensions overflow");
    return false;
  }
  return true;
}

// The weight of the state as the products of all steps take it.
struct Packed {
  float* panels;
  size_t columns, k;
  const float* rows = nullptr;  // as it lies, [columns, k]: a few products of a few examples are quicker than to pack
};

// Steps of so few examples that are computed without panels, at most.
constexpr size_t kUnpackedSteps = 4;

size_t packed_floats(size_t columns, size_t k) { return round_up(columns, kPackedColumns) * k; }

// The panels of `columns` rows of R from `first` on, `along_depth`: R[column][k]; otherwise of all columns of R, rows
// [first, first + k).
void pack(const Context& context, const float* matrix, size_t stride, bool along_depth, const Packed& packed) {
  const size_t panels = tiles_of(packed.columns, context.kernels.gemm_columns);
  const size_t chunks = std::min(panels, context.parallel.chunks(packed.columns * packed.k, kLeastElements));
  context.parallel.run(chunks, [&](size_t chunk) {
    context.kernels.gemm_pack_right_f32(matrix, stride, along_depth, packed.columns, packed.k, panels * chunk / chunks,
                                        panels * (chunk + 1) / chunks, packed.panels);
  });
}

// c[rows, columns] = left·packed; rows of left `stride` apart.
void multiply_packed(const KernelTable& kernels, const float* left, size_t stride, size_t rows, const Packed& packed,
                     float* c, size_t c_stride) {
  GemmTask task{};
  task.left = left;
  task.left_row_stride = stride;
  task.left_depth_stride = 1;
  if (packed.rows == nullptr) {
    task.right = packed.panels;
    task.right_packed = true;
  } else {
    task.right = packed.rows;
    task.right_stride = packed.k;
    task.right_along_depth = true;
  }
  task.rows = rows;
  task.columns = packed.columns;
  task.k = packed.k;
  task.c = c;
  task.c_stride = c_stride;
  task.group = 1;
  if (packed.rows != nullptr) return kernels.gemm_few_f32(task, 0, packed.columns);
  kernels.gemm_f32(task, 0, tiles_of(rows, kernels.gemm_rows), 0, tiles_of(packed.columns, kernels.gemm_columns));
}

// ---- Examples, the longest first

class Lengths {
 public:
  static size_t order_words(const Sizes& sizes) { return sizes.rows + sizes.steps + 2; }

  // `order`: room for order_words(), where there are lengths.
  Lengths(const Context& context, const int32_t* lengths, const Sizes& sizes, int32_t* order)
      : lengths_(lengths), steps_(sizes.steps), order_(lengths == nullptr ? nullptr : order) {
    threads_ = context.parallel.chunks(sizes.rows * sizes.steps * sizes.hidden * sizes.stacked(), kLeastFlops) < 2
                   ? 1
                   : context.parallel.threads();
    const size_t parts = threads_ * tiles_of(sizes.rows, threads_ * kMostTogether);
    parts_ = std::min(parts, std::max<size_t>(sizes.rows, 1));
    if (lengths == nullptr) return;
    // Sorted by counting: `ends` has where the examples of a length begin, the longest first.
    int32_t* const ends = order_ + sizes.rows;
    std::fill_n(ends, sizes.steps + 2, 0);
    for (size_t row = 0; row < sizes.rows; ++row) ++ends[sizes.steps - of(row) + 1];
    for (size_t length = 0; length <= sizes.steps; ++length) ends[length + 1] += ends[length];
    // Example s of the sorted ones is the (s / parts)-th of part s % parts, so that all have about as much to do.
    for (size_t row = 0; row < sizes.rows; ++row) {
      const auto s = static_cast<size_t>(ends[sizes.steps - of(row)]++);
      order_[tile_begin(sizes.rows, parts_, s % parts_) + s / parts_] = static_cast<int32_t>(row);
    }
  }

  size_t parts() const { return parts_; }
  size_t row(size_t place) const { return order_ == nullptr ? place : static_cast<size_t>(order_[place]); }
  size_t of(size_t row) const { return lengths_ == nullptr ? steps_ : static_cast<size_t>(lengths_[row]); }

 private:
  const int32_t* lengths_;
  size_t steps_;
  int32_t* order_;
  size_t threads_;
  size_t parts_;
};

// Parts of scratch, one behind the other; without memory it tells how much they take.
class Room {
 public:
  explicit Room(void* scratch) : at_(static_cast<std::byte*>(scratch)) {}
  template <typename T = float>
  T* take(size_t count) {
    T* const given = at_ == nullptr ? nullptr : reinterpret_cast<T*>(at_ + bytes_);
    bytes_ += round_up(count * sizeof(T), kAlignment);
    return given;
  }
  size_t bytes() const { return bytes_; }
  void* rest() const { return at_ == nullptr ? nullptr : at_ + bytes_; }

 private:
  std::byte* at_;
  size_t bytes_ = 0;
};

// ---- recurrence

struct RecurrenceAt {
  static constexpr Operands all{
      "x:f weight:f recurrent:f bias:f? candidate:f? lengths:i? state:f? cell_state:f? mask:f? y:F gates:F cells:F? "
      "last:F last_cell:F?",
      "rows:d steps:i inputs:i hidden:i cell:cells reverse:b? update_first:b?", ""};
  static constexpr size_t x = all.view("x"), weight = all.view("weight"), recurrent = all.view("recurrent"),
                          bias = all.view("bias"), candidate = all.view("candidate"), lengths = all.view("lengths"),
                          state = all.view("state"), cell_state = all.view("cell_state"), mask = all.view("mask"),
                          y = all.view("y"), gates = all.view("gates"), cells = all.view("cells"),
                          last = all.view("last"), last_cell = all.view("last_cell");
  static constexpr size_t rows = all.integer("rows"), steps = all.integer("steps"), inputs = all.integer("inputs"),
                          hidden = all.integer("hidden"), cell = all.integer("cell"), reverse = all.integer("reverse"),
                          update_first = all.integer("update_first");
};

void check_recurrence(const Arguments& a, Requirements& r) {
  using At = RecurrenceAt;
  if (!check_sizes<At>(a, r)) return;
  const Sizes s = sizes_of<At>(a);
  const bool lstm = s.cell == Cell::lstm;
  if ((a.views[At::cells] != nullptr) != lstm || (a.views[At::last_cell] != nullptr) != lstm)
    return r.fail("an LSTM, and nothing else, has cells");
  if (!lstm && a.views[At::cell_state] != nullptr) return r.fail("no LSTM has a cell to begin with");
  if (s.cell != Cell::gru && a.views[At::candidate] != nullptr) return r.fail("no GRU has a bias of the candidate");
  r.need(At::x, s.rows * s.steps, s.inputs);
  r.need(At::weight, s.stacked(), s.inputs);
  r.need(At::recurrent, s.stacked(), s.hidden);
  r.need(At::bias, s.stacked());
  r.need(At::candidate, s.hidden);
  r.need(At::lengths, s.rows);
  r.need(At::y, s.rows * s.steps, s.hidden);
  r.need(At::gates, s.rows * s.steps, s.kept());
  r.need(At::cells, s.rows * s.steps, s.hidden);
  for (const size_t view : {At::state, At::cell_state, At::mask, At::last, At::last_cell})
    r.need(view, s.rows, s.hidden);
}

// The product of the input over all steps of a batch.
Product input_product(const Arguments& a, const Sizes& s) {
  using At = RecurrenceAt;
  return {a.view<const float>(At::x),
          s.inputs,
          false,
          a.view<const float>(At::weight),
          s.inputs,
          true,
          a.view<const float>(At::bias),
          a.view<float>(At::gates),
          s.kept(),
          s.rows * s.steps,
          s.stacked(),
          s.inputs};
}

struct ForwardRoom {
  int32_t* order;
  Packed first, second;  // of the state, and of gru_before of r·state
  float* h;              // rows h_stride apart
  float* fed;            // likewise; h itself where there is no mask
  float* reset_state;    // likewise, of gru_before
  float* c;
  float* t;
  size_t h_stride;
  size_t bytes;

  ForwardRoom(const Arguments& a, const Sizes& s, void* scratch) {
    using At = RecurrenceAt;
    Room room(scratch);
    h_stride = s.hidden + kApart;
    order = room.take<int32_t>(a.views[At::lengths] == nullptr ? 0 : Lengths::order_words(s));
    first = {room.take(packed_floats(s.first(), s.hidden)), s.first(), s.hidden};
    const bool before = s.cell == Cell::gru_before;
    second = {room.take(before ? packed_floats(s.hidden, s.hidden) : 0), s.hidden, s.hidden};
    h = room.take(s.rows * h_stride);
    fed = a.views[At::mask] == nullptr ? h : room.take(s.rows * h_stride);
    reset_state = room.take(before ? s.rows * h_stride : 0);
    c = room.take(s.cell == Cell::lstm ? s.rows * s.hidden : 0);
    t = room.take(s.rows * s.stacked());
    bytes = room.bytes();
  }
};

size_t scratch_recurrence(const Arguments& a, const KernelTable& kernels) {
  const Sizes s = sizes_of<RecurrenceAt>(a);
  const size_t product = most_floats(input_product(a, s).shape(), kernels) * sizeof(float);
  return std::max(product, ForwardRoom(a, s, nullptr).bytes);
}

// Examples [begin, end) of the order, all of their steps.
void step_through(const Context& context, const Arguments& a, const Sizes& s, const ForwardRoom& room,
                  const Lengths& lengths, size_t begin, size_t end) {
  using At = RecurrenceAt;
  const KernelTable& kernels = context.kernels;
  const auto* state = a.view<const float>(At::state);
  const auto* cell_state = a.view<const float>(At::cell_state);
  const auto* mask = a.view<const float>(At::mask);
  auto* y = a.view<float>(At::y);
  auto* gates = a.view<float>(At::gates);
  auto* cells = a.view<float>(At::cells);
  const size_t hidden = s.hidden, hidden_bytes = hidden * sizeof(float);
  const auto row_of = [&](float* of, size_t place) { return of + place * room.h_stride; };
  for (size_t place = begin; place < end; ++place) {
    const size_t row = lengths.row(place);
    float* const h = row_of(room.h, place);
    if (state == nullptr) {
      std::memset(h, 0, hidden_bytes);
    } else {
      std::memcpy(h, state + row * hidden, hidden_bytes);
    }
    if (mask != nullptr) {
      const float* const factors = mask + row * hidden;
      for (size_t j = 0; j < hidden; ++j) row_of(room.fed, place)[j] = h[j] * factors[j];
    }
    if (s.cell == Cell::lstm) {
      if (cell_state == nullptr) {
        std::memset(room.c + place * hidden, 0, hidden_bytes);
      } else {
        std::memcpy(room.c + place * hidden, cell_state + row * hidden, hidden_bytes);
      }
    }
  }
  float* const t = room.t + begin * s.stacked();
  size_t active = end;
  for (size_t step = 0; step < s.steps; ++step) {
    while (active > begin && lengths.of(lengths.row(active - 1)) <= step) --active;
    if (active == begin) break;
    if (step == 0 && state == nullptr) {
      std::memset(t, 0, (active - begin) * s.first() * sizeof(float));
    } else {
      multiply_packed(kernels, row_of(room.fed, begin), room.h_stride, active - begin, room.first, t, s.first());
    }
    CellStep one{};
    one.bias = a.view<const float>(At::candidate);
    one.hidden = hidden;
    one.reset = s.reset();
    one.update = s.update();
    const auto bind = [&](size_t place, const float* product) {
      const size_t row = lengths.row(place);
      const size_t at = row * s.steps + (s.backward ? lengths.of(row) - 1 - step : step);
      one.gates = gates + at * s.kept();
      one.t = product;
      one.h = row_of(room.h, place);
      one.c = cells == nullptr ? nullptr : room.c + place * hidden;
      one.cell = cells == nullptr ? nullptr : cells + at * hidden;
      one.y = y + at * hidden;
      one.mask = mask == nullptr ? nullptr : mask + row * hidden;
      one.fed = row_of(room.fed, place);
      one.reset_state = row_of(room.reset_state, place);
    };
    for (size_t place = begin; place < active; ++place) {
      bind(place, t + (place - begin) * s.first());
      kernels.cell_step[static_cast<size_t>(s.cell)](one);
    }
    if (s.cell != Cell::gru_before) continue;
    if (step == 0 && state == nullptr) {
      std::memset(t, 0, (active - begin) * hidden_bytes);
    } else {
      multiply_packed(kernels, row_of(room.reset_state, begin), room.h_stride, active - begin, room.second, t, hidden);
    }
    for (size_t place = begin; place < active; ++place) {
      bind(place, t + (place - begin) * hidden);
      kernels.gru_candidate(one);
    }
  }
  for (size_t place = begin; place < end; ++place) {
    const size_t row = lengths.row(place), length = lengths.of(row);
    std::memcpy(a.view<float>(At::last) + row * hidden, row_of(room.h, place), hidden_bytes);
    if (s.cell == Cell::lstm)
      std::memcpy(a.view<float>(At::last_cell) + row * hidden, room.c + place * hidden, hidden_bytes);
    std::memset(y + (row * s.steps + length) * hidden, 0, (s.steps - length) * hidden_bytes);
  }
}

void run_recurrence(const Context& context, const Arguments& a) {
  using At = RecurrenceAt;
  const Sizes s = sizes_of<At>(a);
  const auto* given = a.view<const int32_t>(At::lengths);
  if (s.rows == 0 || !lengths_fit(context, given, s.rows, s.steps)) return;
  compute(context, context.scratch, input_product(a, s));
  ForwardRoom room(a, s, context.scratch);
  const auto* recurrent = a.view<const float>(At::recurrent);
  if (s.rows <= context.kernels.gemm_few && s.steps <= kUnpackedSteps) {
    room.first.rows = recurrent;
    room.second.rows = recurrent + s.first() * s.hidden;
  } else {
    pack(context, recurrent, s.hidden, true, room.first);
    if (s.cell == Cell::gru_before) pack(context, recurrent + s.first() * s.hidden, s.hidden, true, room.second);
  }
  const Lengths lengths(context, given, s, room.order);
  context.parallel.run(lengths.parts(), [&](size_t part) {
    step_through(context, a, s, room, lengths, tile_begin(s.rows, lengths.parts(), part),
                 tile_begin(s.rows, lengths.parts(), part + 1));
  });
}

// ---- recurrence_gradient: `flow` lies where the gates were kept: what flows to the input's product of each step, in
// the columns of the gates, 0 behind the end of an example; of a GRU another `hidden` columns follow

struct GradientAt {
  static constexpr Operands all{
      "x:f recurrent:f gates:f y:f cells:f? lengths:i? state:f? cell_state:f? mask:f? dy:f? dlast:f? dlast_cell:f? "
      "flow:F "
      "dweight:F drecurrent:F dbias:F dcandidate:F? dstate:F? dcell_state:F?",
      "rows:d steps:i inputs:i hidden:i cell:cells reverse:b? update_first:b?", ""};
  static constexpr size_t x = all.view("x"), recurrent = all.view("recurrent"), gates = all.view("gates"),
                          y = all.view("y"), cells = all.view("cells"), lengths = all.view("lengths"),
                          state = all.view("state"), cell_state = all.view("cell_state"), mask = all.view("mask"),
                          dy = all.view("dy"), dlast = all.view("dlast"), dlast_cell = all.view("dlast_cell"),
                          flow = all.view("flow"), dweight = all.view("dweight"), drecurrent = all.view("drecurrent"),
                          dbias = all.view("dbias"), dcandidate = all.view("dcandidate"), dstate = all.view("dstate"),
                          dcell_state = all.view("dcell_state");
  static constexpr size_t rows = all.integer("rows"), steps = all.integer("steps"), inputs = all.integer("inputs"),
                          hidden = all.integer("hidden"), cell = all.integer("cell"), reverse = all.integer("reverse"),
                          update_first = all.integer("update_first");
};

void check_gradient(const Arguments& a, Requirements& r) {
  using At = GradientAt;
  if (!check_sizes<At>(a, r)) return;
  const Sizes s = sizes_of<At>(a);
  const bool lstm = s.cell == Cell::lstm;
  if ((a.views[At::cells] != nullptr) != lstm) return r.fail("an LSTM, and nothing else, has cells");
  for (const size_t view : {At::cell_state, At::dlast_cell, At::dcell_state}) {
    if (!lstm && a.views[view] != nullptr) return r.fail("no LSTM has a cell");
  }
  if (s.cell != Cell::gru && a.views[At::dcandidate] != nullptr) return r.fail("no GRU has a bias of the candidate");
  r.need(At::x, s.rows * s.steps, s.inputs);
  r.need(At::recurrent, s.stacked(), s.hidden);
  r.need(At::gates, s.rows * s.steps, s.kept());
  r.need(At::flow, s.rows * s.steps, s.kept());
  r.need(At::lengths, s.rows);
  for (const size_t view : {At::y, At::cells, At::dy}) r.need(view, s.rows * s.steps, s.hidden);
  for (const size_t view :
       {At::state, At::cell_state, At::mask, At::dlast, At::dlast_cell, At::dstate, At::dcell_state})
    r.need(view, s.rows, s.hidden);
  r.need(At::dweight, s.stacked(), s.inputs);
  r.need(At::drecurrent, s.stacked(), s.hidden);
  r.need(At::dbias, s.stacked());
  r.need(At::dcandidate, s.hidden);
}

struct BackwardRoom {
  int32_t* order;
  Packed first, second;  // R as what flows back meets it; `second` of gru_before of the candidate
  float* dh;
  float* dc;
  float* flow;  // rows flow_stride apart
  float* t;
  size_t flow_stride;
  size_t bytes;

  BackwardRoom(const Arguments& a, const Sizes& s, void* scratch) {
    using At = GradientAt;
    Room room(scratch);
    flow_stride = s.stacked() + kApart;
    order = room.take<int32_t>(a.views[At::lengths] == nullptr ? 0 : Lengths::order_words(s));
    const bool before = s.cell == Cell::gru_before;
    first = {room.take(packed_floats(s.hidden, s.first())), s.hidden, s.first()};
    second = {room.take(before ? packed_floats(s.hidden, s.hidden) : 0), s.hidden, s.hidden};
    dh = room.take(s.rows * s.hidden);
    dc = room.take(s.cell == Cell::lstm ? s.rows * s.hidden : 0);
    flow = room.take(s.rows * flow_stride);
    t = room.take(s.rows * s.hidden);
    bytes = room.bytes();
  }
};

// What the sums over examples and steps take: nothing of padding.
struct SumRoom {
  size_t* begins;  // where there is padding: the first step of an example among all that are none
  float* before;   // what the products of the state took, [steps of all examples, hidden]
  float* flow;     // the flow without padding, where there is some
  float* x;
  float* sums;  // of columns
  void* rest;
  size_t bytes;

  SumRoom(const Arguments& a, const Sizes& s, void* scratch) {
    Room room(scratch);
    const size_t all = s.rows * s.steps;
    const bool padded = a.views[GradientAt::lengths] != nullptr;
    begins = room.take<size_t>(padded ? s.rows : 0);
    before = room.take(all * s.hidden);
    flow = room.take(padded ? all * s.kept() : 0);
    x = room.take(padded ? all * s.inputs : 0);
    sums = room.take(s.kept());
    rest = room.rest();
    bytes = room.bytes();
  }
};

size_t scratch_gradient(const Arguments& a, const KernelTable& kernels) {
  const Sizes s = sizes_of<GradientAt>(a);
  const size_t all = s.rows * s.steps;
  const size_t product = std::max(most_floats({s.stacked(), s.inputs, all, true, Layout::plain, false}, kernels),
                                  most_floats({s.stacked(), s.hidden, all, true, Layout::plain, false}, kernels));
  return std::max(SumRoom(a, s, nullptr).bytes + product * sizeof(float), BackwardRoom(a, s, nullptr).bytes);
}

// The state (`of` = y) or the cell before the step at `t` of an example; nullptr: 0.
const float* before_step(const float* of, const float* first, const Sizes& s, size_t row, size_t t, size_t length) {
  const bool begins = s.backward ? t + 1 == length : t == 0;
  if (begins) return first == nullptr ? nullptr : first + row * s.hidden;
  return of + (row * s.steps + (s.backward ? t + 1 : t - 1)) * s.hidden;
}

void step_back(const Context& context, const Arguments& a, const Sizes& s, const BackwardRoom& room,
               const Lengths& lengths, size_t begin, size_t end) {
  using At = GradientAt;
  const KernelTable& kernels = context.kernels;
  const auto* dy = a.view<const float>(At::dy);
  const auto* y = a.view<const float>(At::y);
  const auto* cells = a.view<const float>(At::cells);
  const auto* mask = a.view<const float>(At::mask);
  auto* flow = a.view<float>(At::flow);
  const auto* gates = a.view<const float>(At::gates);
  const size_t hidden = s.hidden, hidden_bytes = hidden * sizeof(float);
  const bool lstm = s.cell == Cell::lstm;
  const auto begin_with = [&](const float* given, float* at, size_t row) {
    if (given == nullptr) {
      std::memset(at, 0, hidden_bytes);
    } else {
      std::memcpy(at, given + row * hidden, hidden_bytes);
    }
  };
  for (size_t place = begin; place < end; ++place) {
    const size_t row = lengths.row(place), length = lengths.of(row);
    begin_with(a.view<const float>(At::dlast), room.dh + place * hidden, row);
    if (lstm) begin_with(a.view<const float>(At::dlast_cell), room.dc + place * hidden, row);
    const size_t at = row * s.steps * s.kept();
    if (flow != gates) std::memcpy(flow + at, gates + at, length * s.kept() * sizeof(float));
    std::memset(flow + at + length * s.kept(), 0, (s.steps - length) * s.kept() * sizeof(float));
  }
  float* const t = room.t + begin * hidden;
  const auto products = [&](const Packed& packed, size_t column, size_t active) {
    multiply_packed(kernels, room.flow + begin * room.flow_stride + column, room.flow_stride, active - begin, packed, t,
                    hidden);
  };
  CellBack one{};
  one.hidden = hidden;
  one.reset = s.reset();
  one.update = s.update();
  const auto bind = [&](size_t place, size_t step, bool met) {
    const size_t row = lengths.row(place), length = lengths.of(row);
    const size_t time = s.backward ? length - 1 - step : step;
    const size_t at = row * s.steps + time;
    one.gates = flow + at * s.kept();
    one.t = met ? t + (place - begin) * hidden : nullptr;
    one.dy = dy == nullptr ? nullptr : dy + at * hidden;
    one.dh = room.dh + place * hidden;
    one.dc = room.dc + place * hidden;
    one.c = lstm ? cells + at * hidden : nullptr;
    one.before = lstm ? before_step(cells, a.view<const float>(At::cell_state), s, row, time, length)
                      : before_step(y, a.view<const float>(At::state), s, row, time, length);
    one.mask = mask == nullptr ? nullptr : mask + row * hidden;
    one.flow = room.flow + place * room.flow_stride;
  };
  size_t active = begin;  // examples that have had a step
  for (size_t step = s.steps; step-- > 0;) {
    const size_t met = active;
    while (active < end && lengths.of(lengths.row(active)) > step) ++active;
    if (active == begin) continue;
    for (size_t place = begin; place < active; ++place) {
      bind(place, step, place < met);
      kernels.cell_back[static_cast<size_t>(s.cell)](one);
    }
    if (s.cell == Cell::gru_before) {
      products(room.second, s.first(), active);
      for (size_t place = begin; place < active; ++place) {
        bind(place, step, true);
        kernels.gru_reset_back(one);
      }
    }
    if (step > 0 || a.views[At::dstate] != nullptr) products(room.first, 0, active);
  }
  for (size_t place = begin; place < end; ++place) {
    const size_t row = lengths.row(place);
    if (lstm && a.views[At::dcell_state] != nullptr)
      std::memcpy(a.view<float>(At::dcell_state) + row * hidden, room.dc + place * hidden, hidden_bytes);
    if (a.views[At::dstate] == nullptr) continue;
    float* const dstate = a.view<float>(At::dstate) + row * hidden;
    const float* const dh = room.dh + place * hidden;
    const float* const product = t + (place - begin) * hidden;
    for (size_t j = 0; j < hidden; ++j) {
      if (lengths.of(row) == 0) {
        dstate[j] = dh[j];
        continue;
      }
      const float back = mask == nullptr ? product[j] : product[j] * mask[row * hidden + j];
      dstate[j] = is_gru(s.cell) ? dh[j] + back : back;
    }
  }
}

// What the products of the state took, example by example, and where there is padding flow and x without it.
void gather_states(const Context& context, const Arguments& a, const Sizes& s, const SumRoom& room) {
  using At = GradientAt;
  const auto* y = a.view<const float>(At::y);
  const auto* lengths = a.view<const int32_t>(At::lengths);
  const auto* mask = a.view<const float>(At::mask);
  const auto* x = a.view<const float>(At::x);
  const auto* flow = a.view<const float>(At::flow);
  const size_t hidden = s.hidden;
  over_rows(context, s.rows, s.steps * s.kept(), [&](size_t from, size_t to) {
    for (size_t row = from; row < to; ++row) {
      const size_t length = lengths == nullptr ? s.steps : static_cast<size_t>(lengths[row]);
      const size_t begin = lengths == nullptr ? row * s.steps : room.begins[row];
      for (size_t t = 0; t < length; ++t) {
        const float* const before = before_step(y, a.view<const float>(At::state), s, row, t, length);
        float* const at = room.before + (begin + t) * hidden;
        if (before == nullptr) {
          std::memset(at, 0, hidden * sizeof(float));
        } else if (mask == nullptr) {
          std::memcpy(at, before, hidden * sizeof(float));
        } else {
          for (size_t j = 0; j < hidden; ++j) at[j] = before[j] * mask[row * hidden + j];
        }
      }
      if (lengths == nullptr) continue;
      std::memcpy(room.flow + begin * s.kept(), flow + row * s.steps * s.kept(), length * s.kept() * sizeof(float));
      std::memcpy(room.x + begin * s.inputs, x + row * s.steps * s.inputs, length * s.inputs * sizeof(float));
    }
  });
}

void sum_over_steps(const Context& context, const Arguments& a, const Sizes& s, const SumRoom& room, const float* flow,
                    const float* x, size_t count) {
  using At = GradientAt;
  const size_t hidden = s.hidden, kept = s.kept();
  const auto sum = [&](size_t column, size_t rows, const float* right, size_t right_stride, size_t columns, float* c) {
    if (count == 0) {
      std::memset(c, 0, rows * columns * sizeof(float));
      return;
    }
    compute(context, room.rest,
            {flow + column, kept, true, right, right_stride, false, nullptr, c, columns, rows, columns, count});
  };
  sum(0, s.stacked(), x, s.inputs, s.inputs, a.view<float>(At::dweight));
  auto* drecurrent = a.view<float>(At::drecurrent);
  const size_t states = is_gru(s.cell) ? 2 * hidden : s.stacked();
  sum(0, states, room.before, hidden, hidden, drecurrent);
  if (s.cell == Cell::gru) sum(3 * hidden, hidden, room.before, hidden, hidden, drecurrent + states * hidden);
  if (s.cell == Cell::gru_before)
    sum(2 * hidden, hidden, flow + 3 * hidden, kept, hidden, drecurrent + states * hidden);
  const size_t groups = (kept + 15) / 16;
  const size_t chunks = std::min(groups, context.parallel.chunks(count * kept, kLeastElements));
  context.parallel.run(chunks, [&](size_t chunk) {
    const size_t from = groups * chunk / chunks * 16, to = std::min(kept, groups * (chunk + 1) / chunks * 16);
    if (from < to) context.kernels.column_sum_f32(flow, count, kept, room.sums, from, to);
  });
  std::memcpy(a.view<float>(At::dbias), room.sums, s.stacked() * sizeof(float));
  if (a.views[At::dcandidate] != nullptr)
    std::memcpy(a.view<float>(At::dcandidate), room.sums + 3 * hidden, hidden * sizeof(float));
}

void run_gradient(const Context& context, const Arguments& a) {
  using At = GradientAt;
  const Sizes s = sizes_of<At>(a);
  const auto* given = a.view<const int32_t>(At::lengths);
  if (!lengths_fit(context, given, s.rows, s.steps)) return;
  const BackwardRoom room(a, s, context.scratch);
  const auto* recurrent = a.view<const float>(At::recurrent);
  if (s.rows > 0) {
    pack(context, recurrent, s.hidden, false, room.first);
    if (s.cell == Cell::gru_before) pack(context, recurrent + s.first() * s.hidden, s.hidden, false, room.second);
    const Lengths lengths(context, given, s, room.order);
    context.parallel.run(lengths.parts(), [&](size_t part) {
      step_back(context, a, s, room, lengths, tile_begin(s.rows, lengths.parts(), part),
                tile_begin(s.rows, lengths.parts(), part + 1));
    });
  }
  const SumRoom sums(a, s, context.scratch);
  if (given == nullptr) {
    gather_states(context, a, s, sums);
    sum_over_steps(context, a, s, sums, a.view<const float>(At::flow), a.view<const float>(At::x), s.rows * s.steps);
    return;
  }
  size_t count = 0;
  for (size_t row = 0; row < s.rows; ++row) {
    sums.begins[row] = count;
    count += static_cast<size_t>(given[row]);
  }
  gather_states(context, a, s, sums);
  sum_over_steps(context, a, s, sums, sums.flow, sums.x, count);
}

}  // namespace

constinit const Operation op_recurrence{"recurrence",     RecurrenceAt::all,  false,
                                        check_recurrence, scratch_recurrence, run_recurrence};
constinit const Operation op_recurrence_gradient{"recurrence_gradient", GradientAt::all,  true,
                                                 check_gradient,        scratch_gradient, run_gradient};

}  // namespace carillon
