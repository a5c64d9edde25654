// Softmax cross-entropy over the candidates of a batch: example i has the vector left_i and its own candidate right_i,
// and all others are what it might have been taken for. s_ij = (left_i·right_j)·scale − taken_j, loss_i = ln Σ_j
// e^(s_ij) − s_ii over the candidates that count: not those of the same id, which would be right as well, nor those
// that weigh nothing.
#include <algorithm>
#include <cstring>
#include <limits>

#include "../runtime/memory.h"
#include "operation.h"
#include "strided_product.h"

namespace carillon {
namespace {

// Examples of a batch at most: what is kept of them is as large as their square.
constexpr size_t kMostRows = 1 << 15;

struct InBatchAt {
  static constexpr Operands all{"left:f right:f taken:f? ids:i? weights:f? losses:F", "rows:d columns:i", "scale"};
  static constexpr size_t left = all.view("left"), right = all.view("right"), taken = all.view("taken"),
                          ids = all.view("ids"), weights = all.view("weights"), losses = all.view("losses"),
                          rows = all.integer("rows"), columns = all.integer("columns"), scale = all.number("scale");
};

struct InBatchGradientAt {
  static constexpr Operands all{"left:f right:f taken:f? ids:i? weights:f? flow:f dleft:F dright:F", "rows:d columns:i",
                                "scale"};
  static constexpr size_t left = all.view("left"), right = all.view("right"), taken = all.view("taken"),
                          ids = all.view("ids"), weights = all.view("weights"), flow = all.view("flow"),
                          dleft = all.view("dleft"), dright = all.view("dright"), rows = all.integer("rows"),
                          columns = all.integer("columns"), scale = all.number("scale");
};

template <typename At>
bool check_operands(const Arguments& a, Requirements& r) {
  const size_t rows = a.size(At::rows), columns = a.size(At::columns);
  if (a.ints[At::columns] < 1) {
    r.fail("vectors of nothing");
    return false;
  }
  if (rows > kMostRows) {
    r.fail("more than 32768 candidates in a batch");
    return false;
  }
  for (const size_t view : {At::left, At::right}) r.need(view, rows, columns);
  for (const size_t view : {At::taken, At::ids, At::weights}) r.need(view, rows);
  return true;
}

void check_in_batch(const Arguments& a, Requirements& r) {
  if (check_operands<InBatchAt>(a, r)) r.need(InBatchAt::losses, a.size(InBatchAt::rows));
}

void check_in_batch_gradient(const Arguments& a, Requirements& r) {
  using At = InBatchGradientAt;
  if (!check_operands<At>(a, r)) return;
  r.need(At::flow, a.size(At::rows));
  for (const size_t view : {At::dleft, At::dright}) r.need(view, a.size(At::rows), a.size(At::columns));
}

// c[m, n] of matrices without gaps: left, or leftᵀ where `transposed`, times right, or rightᵀ where `along_depth`.
Product product(const float* left, bool transposed, const float* right, bool along_depth, float* c, size_t m, size_t n,
                size_t k) {
  return {left, transposed ? m : k, transposed, right, along_depth ? k : n, along_depth, nullptr, c, n, m, n, k};
}

size_t scores_bytes(size_t rows) { return round_up(rows * rows * sizeof(float), kAlignment); }

size_t scratch_of(size_t rows, size_t columns, bool back, const KernelTable& kernels) {
  const auto room = [&](const Product& p) { return most_floats(p.shape(), kernels) * sizeof(float); };
  size_t most = room(product(nullptr, false, nullptr, true, nullptr, rows, rows, columns));
  if (back) {
    most = std::max(most, room(product(nullptr, false, nullptr, false, nullptr, rows, columns, rows)));
    most = std::max(most, room(product(nullptr, true, nullptr, false, nullptr, rows, columns, rows)));
  }
  return scores_bytes(rows) + most;
}

size_t scratch_in_batch(const Arguments& a, const KernelTable& kernels) {
  return scratch_of(a.size(InBatchAt::rows), a.size(InBatchAt::columns), false, kernels);
}

size_t scratch_in_batch_gradient(const Arguments& a, const KernelTable& kernels) {
  return scratch_of(a.size(InBatchGradientAt::rows), a.size(InBatchGradientAt::columns), true, kernels);
}

// The scores of all examples with all candidates, −inf where one does not count: [rows, rows] at the beginning of
// scratch.
template <typename At>
float* scores_of(const Context& context, const Arguments& a) {
  const size_t rows = a.size(At::rows), columns = a.size(At::columns);
  auto* scores = static_cast<float*>(context.scratch);
  void* const rest = static_cast<std::byte*>(context.scratch) + scores_bytes(rows);
  compute(
      context, rest,
      product(a.view<const float>(At::left), false, a.view<const float>(At::right), true, scores, rows, rows, columns));
  const auto* taken = a.view<const float>(At::taken);
  const auto* ids = a.view<const int32_t>(At::ids);
  const auto* weights = a.view<const float>(At::weights);
  const auto scale = static_cast<float>(a.doubles[At::scale]);
  constexpr float kNone = -std::numeric_limits<float>::infinity();
  over_rows(context, rows, rows, [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      float* const row = scores + i * rows;
      for (size_t j = 0; j < rows; ++j) row[j] *= scale;
      for (size_t j = 0; taken != nullptr && j < rows; ++j) row[j] -= taken[j];
      const float own = row[i];
      for (size_t j = 0; ids != nullptr && j < rows; ++j) row[j] = ids[i] == ids[j] ? kNone : row[j];
      for (size_t j = 0; weights != nullptr && j < rows; ++j) row[j] = weights[j] > 0 ? row[j] : kNone;
      row[i] = own;
    }
  });
  return scores;
}

void run_in_batch(const Context& context, const Arguments& a) {
  using At = InBatchAt;
  const size_t rows = a.size(At::rows);
  if (rows == 0) return;
  float* const scores = scores_of<At>(context, a);
  auto* losses = a.view<float>(At::losses);
  over_rows(context, rows, rows, [&](size_t begin, size_t end) {
    context.kernels.log_softmax_f32(scores + begin * rows, scores + begin * rows, end - begin, rows);
    for (size_t i = begin; i < end; ++i) losses[i] = -scores[i * rows + i];
  });
}

// G_ij = ((p_ij − [i = j])·flow_i)·scale, p the softmax of each row; dleft = G·right, dright = Gᵀ·left.
void run_in_batch_gradient(const Context& context, const Arguments& a) {
  using At = InBatchGradientAt;
  const size_t rows = a.size(At::rows), columns = a.size(At::columns);
  if (rows == 0) return;
  float* const scores = scores_of<At>(context, a);
  const auto* flow = a.view<const float>(At::flow);
  const auto scale = static_cast<float>(a.doubles[At::scale]);
  over_rows(context, rows, rows, [&](size_t begin, size_t end) {
    context.kernels.softmax_f32(scores + begin * rows, scores + begin * rows, end - begin, rows);
    for (size_t i = begin; i < end; ++i) {
      float* const row = scores + i * rows;
      row[i] -= 1.0f;
      const float factor = flow[i] * scale;
      for (size_t j = 0; j < rows; ++j) row[j] *= factor;
    }
  });
  void* const rest = static_cast<std::byte*>(context.scratch) + scores_bytes(rows);
  compute(context, rest,
          product(scores, false, a.view<const float>(At::right), false, a.view<float>(At::dleft), rows, columns, rows));
  compute(context, rest,
          product(scores, true, a.view<const float>(At::left), false, a.view<float>(At::dright), rows, columns, rows));
}

}  // namespace

constinit const Operation op_in_batch{"in_batch",     InBatchAt::all,   false,
                                      check_in_batch, scratch_in_batch, run_in_batch};
constinit const Operation op_in_batch_gradient{
    "in_batch_gradient",     InBatchGradientAt::all,    false,
    check_in_batch_gradient, scratch_in_batch_gradient, run_in_batch_gradient};

}  // namespace carillon
