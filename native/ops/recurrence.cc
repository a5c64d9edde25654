// Recurrence over a sequence: the loop over its steps stands inside of the operation. With z = W·x + b of all steps as
// one product and t = R·fed, fed = h·mask (h where there is no mask; a mask is one of all steps, or each has its own),
// gates stacked in rows of W and R:
//   lstm        i, f, o = σ(z + t), g = tanh(z + t), c = f·c + i·g, h = o·tanh(c)
//   gru         r, u = σ(z + t), n = tanh(z + r·(t + candidate)), h = n + u·(h − n)
//   gru_before  r, u = σ(z + t), n = tanh(z + R_n·(r·fed)), h = n + u·(h − n)
//   rnn         h = f(z + t)
// Where a product and a sum stand together they are one rounding. Examples are computed apart from each other, so they
// are split over threads once, each with all of its steps.
#include <algorithm>
#include <cstring>

#include "recurrence.h"

namespace carillon {
namespace {

struct RecurrenceAt {
  static constexpr Operands all{
      "x:f weight:f recurrent:f bias:f? candidate:f? lengths:i? state:f? cell_state:f? mask:f? y:F gates:F cells:F? "
      "last:F last_cell:F?",
      "rows:d steps:i inputs:i hidden:i cell:cells reverse:b? update_first:b? stepwise:b?", ""};
  static constexpr size_t x = all.view("x"), weight = all.view("weight"), recurrent = all.view("recurrent"),
                          bias = all.view("bias"), candidate = all.view("candidate"), lengths = all.view("lengths"),
                          state = all.view("state"), cell_state = all.view("cell_state"), mask = all.view("mask"),
                          y = all.view("y"), gates = all.view("gates"), cells = all.view("cells"),
                          last = all.view("last"), last_cell = all.view("last_cell");
  static constexpr size_t rows = all.integer("rows"), steps = all.integer("steps"), inputs = all.integer("inputs"),
                          hidden = all.integer("hidden"), cell = all.integer("cell"), reverse = all.integer("reverse"),
                          update_first = all.integer("update_first"), stepwise = all.integer("stepwise");
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
  for (const size_t view : {At::state, At::cell_state, At::last, At::last_cell}) r.need(view, s.rows, s.hidden);
  r.need(At::mask, mask_rows(s), s.hidden);
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
      const float* const factors = mask_at(mask, s, row, 0, lengths.of(row));
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
      one.mask = mask_at(mask, s, row, step + 1, lengths.of(row));
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

}  // namespace

constinit const Operation op_recurrence{"recurrence",     RecurrenceAt::all,  false,
                                        check_recurrence, scratch_recurrence, run_recurrence};

}  // namespace carillon
