// Periodic embeddings: waves of numbers, mixed by weights of each column's own, and the gradients of these.
#include <algorithm>
#include <cstring>

#include "operation.h"

namespace carillon {
namespace {

struct PeriodicAt {
  static constexpr Operands all{"x:f frequency:f phase:f weight:f bias:f y:F", "rows:d columns:i frequencies:i mixes:i",
                                "factor"};
  static constexpr size_t x = all.view("x"), frequency = all.view("frequency"), phase = all.view("phase"),
                          weight = all.view("weight"), bias = all.view("bias"), y = all.view("y");
  static constexpr size_t rows = all.integer("rows"), columns = all.integer("columns"),
                          frequencies = all.integer("frequencies"), mixes = all.integer("mixes");
  static constexpr size_t factor = all.number("factor");
};
struct PeriodicGradientAt {
  static constexpr Operands all{"x:f frequency:f phase:f weight:f g:f dweight:F dphase:F dfrequency:F",
                                "rows:d columns:i frequencies:i mixes:i", "factor"};
  static constexpr size_t g = all.view("g"), dweight = all.view("dweight"), dphase = all.view("dphase"),
                          dfrequency = all.view("dfrequency");
};
static_assert(PeriodicGradientAt::all.view("weight") == PeriodicAt::weight &&
              PeriodicGradientAt::all.integer("mixes") == PeriodicAt::mixes);

PeriodicTask task_of(const Arguments& a) {
  PeriodicTask task{};
  task.frequency = a.view<const float>(PeriodicAt::frequency);
  task.phase = a.view<const float>(PeriodicAt::phase);
  task.weight = a.view<const float>(PeriodicAt::weight);
  task.factor = static_cast<float>(a.doubles[PeriodicAt::factor]);
  task.columns = a.size(PeriodicAt::columns);
  task.frequencies = a.size(PeriodicAt::frequencies);
  task.mixes = a.size(PeriodicAt::mixes);
  return task;
}

// What both read, and false where their sizes are none.
bool check_common(const Arguments& a, Requirements& r) {
  for (const size_t i : {PeriodicAt::columns, PeriodicAt::frequencies, PeriodicAt::mixes}) {
    if (a.ints[i] >= 1) continue;
    r.fail("an embedding of nothing");
    return false;
  }
  if (a.size(PeriodicAt::frequencies) > kMostFrequencies) {
    r.fail("too many frequencies");
    return false;
  }
  const size_t columns = a.size(PeriodicAt::columns), frequencies = a.size(PeriodicAt::frequencies);
  r.need(PeriodicAt::x, a.size(PeriodicAt::rows), columns);
  r.need(PeriodicAt::frequency, columns, frequencies);
  r.need(PeriodicAt::phase, columns, frequencies);
  r.need(PeriodicAt::weight, columns * frequencies, a.size(PeriodicAt::mixes));
  return true;
}

void check_periodic(const Arguments& a, Requirements& r) {
  if (!check_common(a, r)) return;
  const size_t outputs = a.size(PeriodicAt::columns) * a.size(PeriodicAt::mixes);
  r.need(PeriodicAt::bias, outputs);
  r.need(PeriodicAt::y, a.size(PeriodicAt::rows), outputs);
}

void run_periodic(const Context& context, const Arguments& a) {
  PeriodicTask task = task_of(a);
  task.bias = a.view<const float>(PeriodicAt::bias);
  const auto* x = a.view<const float>(PeriodicAt::x);
  auto* y = a.view<float>(PeriodicAt::y);
  over_rows(context, a.size(PeriodicAt::rows), task.columns * task.frequencies, [&](size_t begin, size_t end) {
    context.kernels.periodic_f32(task, x + begin * task.columns, y + begin * task.columns * task.mixes, end - begin);
  });
}

void check_periodic_gradient(const Arguments& a, Requirements& r) {
  if (!check_common(a, r)) return;
  r.need(PeriodicGradientAt::g, a.size(PeriodicAt::rows), a.size(PeriodicAt::columns) * a.size(PeriodicAt::mixes));
  r.counts[PeriodicGradientAt::dweight] = r.counts[PeriodicAt::weight];
  r.counts[PeriodicGradientAt::dphase] = r.counts[PeriodicAt::phase];
  r.counts[PeriodicGradientAt::dfrequency] = r.counts[PeriodicAt::frequency];
}

size_t blocks_of(const Arguments& a) {
  return std::max<size_t>(1, (a.size(PeriodicAt::rows) + kColumnBlock - 1) / kColumnBlock);
}

// Floats of the chains of one block of rows: those of the weights, of the phases, of the frequencies.
size_t chain_floats(const Arguments& a) {
  return a.size(PeriodicAt::columns) * a.size(PeriodicAt::frequencies) * (a.size(PeriodicAt::mixes) + 2);
}

size_t scratch_periodic_gradient(const Arguments& a, const KernelTable& /*kernels*/) {
  return blocks_of(a) * chain_floats(a) * sizeof(float);
}

// Sums over rows in the order of column sums: chains of kColumnBlock rows from +0, blocks added in order. Work is split
// over blocks and columns.
void run_periodic_gradient(const Context& context, const Arguments& a) {
  const PeriodicTask task = task_of(a);
  const size_t rows = a.size(PeriodicAt::rows), blocks = blocks_of(a), floats = chain_floats(a);
  const size_t waves = task.columns * task.frequencies;
  auto* chains = static_cast<float*>(context.scratch);
  const auto* x = a.view<const float>(PeriodicAt::x);
  const auto* g = a.view<const float>(PeriodicGradientAt::g);
  std::memset(chains, 0, blocks * floats * sizeof(float));
  const size_t chunks = context.parallel.chunks(rows * waves * (task.mixes + 2), kLeastElements);
  const size_t strips = std::min(task.columns, (chunks + blocks - 1) / blocks);
  const size_t units = blocks * strips;
  const size_t pieces = std::min(units, chunks);
  context.parallel.run(pieces, [&](size_t piece) {
    for (size_t unit = units * piece / pieces; unit < units * (piece + 1) / pieces; ++unit) {
      const size_t block = unit / strips, strip = unit % strips;
      const size_t from = block * kColumnBlock, until = std::min(rows, from + kColumnBlock);
      float* const own = chains + block * floats;
      const PeriodicChains to{own, own + waves * task.mixes, own + waves * (task.mixes + 1)};
      context.kernels.periodic_gradient_f32(task, to, x + from * task.columns, g + from * task.columns * task.mixes,
                                            until - from, task.columns * strip / strips,
                                            task.columns * (strip + 1) / strips);
    }
  });
  const auto total = [&](float* sums, size_t at, size_t count) {
    std::memset(sums, 0, count * sizeof(float));
    for (size_t block = 0; block < blocks; ++block) {
      const float* chain = chains + block * floats + at;
      for (size_t i = 0; i < count; ++i) sums[i] += chain[i];
    }
  };
  total(a.view<float>(PeriodicGradientAt::dweight), 0, waves * task.mixes);
  total(a.view<float>(PeriodicGradientAt::dphase), waves * task.mixes, waves);
  total(a.view<float>(PeriodicGradientAt::dfrequency), waves * (task.mixes + 1), waves);
}

}  // namespace

constinit const Operation op_periodic{"periodic", PeriodicAt::all, false, check_periodic, nullptr, run_periodic};
constinit const Operation op_periodic_gradient{
    "periodic_gradient",     PeriodicGradientAt::all,   false,
    check_periodic_gradient, scratch_periodic_gradient, run_periodic_gradient};

}  // namespace carillon
