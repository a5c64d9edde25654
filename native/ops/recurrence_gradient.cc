// The gradient of a recurrence (recurrence.cc): `flow` lies where the gates were kept: what flows to the input's
// product of each step, in the columns of the gates, 0 behind the end of an example; of a GRU another `hidden` columns
// follow
#include <algorithm>
#include <cstring>

#include "recurrence.h"

namespace carillon {
namespace {

struct GradientAt {
  static constexpr Operands all{
      "x:f recurrent:f gates:f y:f cells:f? lengths:i? state:f? cell_state:f? mask:f? dy:f? dlast:f? dlast_cell:f? "
      "flow:F "
      "dweight:F drecurrent:F dbias:F dcandidate:F? dstate:F? dcell_state:F?",
      "rows:d steps:i inputs:i hidden:i cell:cells reverse:b? update_first:b? stepwise:b?", ""};
  static constexpr size_t x = all.view("x"), recurrent = all.view("recurrent"), gates = all.view("gates"),
                          y = all.view("y"), cells = all.view("cells"), lengths = all.view("lengths"),
                          state = all.view("state"), cell_state = all.view("cell_state"), mask = all.view("mask"),
                          dy = all.view("dy"), dlast = all.view("dlast"), dlast_cell = all.view("dlast_cell"),
                          flow = all.view("flow"), dweight = all.view("dweight"), drecurrent = all.view("drecurrent"),
                          dbias = all.view("dbias"), dcandidate = all.view("dcandidate"), dstate = all.view("dstate"),
                          dcell_state = all.view("dcell_state");
  static constexpr size_t rows = all.integer("rows"), steps = all.integer("steps"), inputs = all.integer("inputs"),
                          hidden = all.integer("hidden"), cell = all.integer("cell"), reverse = all.integer("reverse"),
                          update_first = all.integer("update_first"), stepwise = all.integer("stepwise");
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
  for (const size_t view : {At::state, At::cell_state, At::dlast, At::dlast_cell, At::dstate, At::dcell_state})
    r.need(view, s.rows, s.hidden);
  r.need(At::mask, mask_rows(s), s.hidden);
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
  // `masked`: the step whose mask is met, that of the product that flows back.
  const auto bind = [&](size_t place, size_t step, size_t masked, bool met) {
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
    one.mask = mask_at(mask, s, row, masked, length);
    one.flow = room.flow + place * room.flow_stride;
  };
  size_t active = begin;  // examples that have had a step
  for (size_t step = s.steps; step-- > 0;) {
    const size_t met = active;
    while (active < end && lengths.of(lengths.row(active)) > step) ++active;
    if (active == begin) continue;
    for (size_t place = begin; place < active; ++place) {
      bind(place, step, step + 1, place < met);
      kernels.cell_back[static_cast<size_t>(s.cell)](one);
    }
    if (s.cell == Cell::gru_before) {
      products(room.second, s.first(), active);
      for (size_t place = begin; place < active; ++place) {
        bind(place, step, step, true);
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
    const float* const factors = mask_at(mask, s, row, 0, lengths.of(row));
    for (size_t j = 0; j < hidden; ++j) {
      if (lengths.of(row) == 0) {
        dstate[j] = dh[j];
        continue;
      }
      const float back = factors == nullptr ? product[j] : product[j] * factors[j];
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
          const float* const factors = mask_at(mask, s, row, s.backward ? length - 1 - t : t, length);
          for (size_t j = 0; j < hidden; ++j) at[j] = before[j] * factors[j];
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

constinit const Operation op_recurrence_gradient{"recurrence_gradient", GradientAt::all,  true,
                                                 check_gradient,        scratch_gradient, run_gradient};

}  // namespace carillon
