// The optimizer's update: one pass over all segments of a slab, in place, with gradient scale and L2 folded in and the
// penalty summed on the way.
#include <algorithm>
#include <limits>

#include "math_double.h"
#include "operation.h"

namespace carillon {
namespace {

// views: parameters, gradients, states ×3, penalty
// ints:  rule, lane of the rate, then (offset, count) a segment
// doubles: 8 of the rule, then (λ of L2, scale of the rate) a segment
constexpr size_t kFirstState = 2;
constexpr size_t kPenalty = kFirstState + kMaxStates;
constexpr size_t kHeadInts = 2;
constexpr size_t kRuleDoubles = 8;

constexpr size_t kStates[] = {
#define X(name, states) states,
#include "../kernels/optimizers.def"
#undef X
};

size_t segment_count(const Arguments& a) { return (a.int_count - kHeadInts) / 2; }

void check_update(const Arguments& a, Requirements& r) {
  if (a.ints[0] < 0 || a.ints[0] >= static_cast<int64_t>(Optimizer::count)) return r.fail("no such rule");
  if (a.ints[0] != static_cast<int64_t>(Optimizer::sgd) && a.ints[0] != static_cast<int64_t>(Optimizer::momentum) &&
      a.ints[0] != static_cast<int64_t>(Optimizer::adam)) {
    return r.fail("rule without its scalars");
  }
  if (a.ints[1] < 0) return r.fail("no such schedule");
  const size_t segments = segment_count(a);
  if (a.double_count != kRuleDoubles + 2 * segments) return r.fail("two numbers a segment are wanted");
  size_t end = 0;
  for (size_t i = 0; i < segments; ++i) {
    if (a.ints[kHeadInts + 2 * i] < 0 || a.ints[kHeadInts + 2 * i + 1] < 0) return r.fail("negative segment");
    const size_t begin = a.size(kHeadInts + 2 * i);
    if (begin < end) return r.fail("segments overlap");
    end = begin + a.size(kHeadInts + 2 * i + 1);
  }
  const size_t states = kStates[a.ints[0]];
  r.need(0, end);
  r.need(1, end);
  for (size_t i = 0; i < kMaxStates; ++i) {
    if ((a.views[kFirstState + i] != nullptr) != (i < states)) return r.fail("wrong number of states for the rule");
    r.need(kFirstState + i, end);
  }
  r.need(kPenalty, 1);
}

size_t blocks_of(size_t count) { return (count + kUpdateBlock - 1) / kUpdateBlock; }

size_t all_blocks(const Arguments& a) {
  size_t blocks = 0;
  for (size_t i = 0; i < segment_count(a); ++i) blocks += blocks_of(a.size(kHeadInts + 2 * i + 1));
  return blocks;
}

// One penalty sum a block.
size_t scratch_update(const Arguments& a, const KernelTable& /*kernels*/) { return all_blocks(a) * sizeof(float); }

// The step's scalars in double, rounded once.
UpdateArguments prepare(const Context& context, const Arguments& a) {
  UpdateArguments u{};
  u.gradient_scale = 1.0f;
  u.clip_value = std::numeric_limits<float>::infinity();
  u.keep = 1.0f;
  const double* c = a.doubles;
  const uint64_t t = context.registers.step;
  switch (static_cast<Optimizer>(a.ints[0])) {
    default:
      break;
    case Optimizer::momentum:  // β, 1 − τ, Nesterov, accumulating
      u.rule[0] = static_cast<float>(c[0]);
      u.rule[1] = static_cast<float>(c[1]);
      u.rule[2] = static_cast<float>(c[2]);
      u.rule[4] = c[3] != 0 && t == 1 ? 1.0f : 0.0f;
      break;
    case Optimizer::adam:  // β₁, β₂, ε, placement
      u.rule[0] = static_cast<float>(c[0]);
      u.rule[1] = static_cast<float>(1 - c[0]);
      u.rule[2] = static_cast<float>(c[1]);
      u.rule[3] = static_cast<float>(1 - c[1]);
      u.rule[4] = static_cast<float>(c[2]);
      u.rule[5] = static_cast<float>(c[3]);
      u.rule[6] = static_cast<float>(1 / (1 - power(c[0], t)));
      u.rule[7] = static_cast<float>(1 / (1 - power(c[1], t)));
      break;
  }
  return u;
}

void run_update(const Context& context, const Arguments& a) {
  const UpdateArguments common = prepare(context, a);
  const UpdateKernel kernel = context.kernels.update[a.ints[0]];
  const auto lane = static_cast<size_t>(a.ints[1]);
  const double rate = lane < context.registers.lane_count ? context.registers.lanes[lane] : 0.0;
  const size_t segments = segment_count(a);
  const size_t blocks = all_blocks(a);
  auto* partial = static_cast<float*>(context.scratch);
  const double* factors = a.doubles + kRuleDoubles;

  const size_t chunks =
      std::min(std::max<size_t>(blocks, 1), context.parallel.chunks(blocks * kUpdateBlock, kLeastElements));
  context.parallel.run(chunks, [&](size_t chunk) {
    const size_t first = blocks * chunk / chunks;
    const size_t last = blocks * (chunk + 1) / chunks;
    size_t block = 0;  // blocks of the segments already walked past
    for (size_t i = 0; i < segments && block < last; ++i) {
      const size_t offset = a.size(kHeadInts + 2 * i);
      const size_t count = a.size(kHeadInts + 2 * i + 1);
      const size_t own = blocks_of(count);
      UpdateArguments u = common;
      u.l2 = static_cast<float>(factors[2 * i]);
      u.squares = u.l2 != 0;
      u.rate = static_cast<float>(rate * factors[2 * i + 1]);
      for (size_t b = std::max(first, block); b < std::min(last, block + own); ++b) {
        const size_t begin = offset + (b - block) * kUpdateBlock;
        const size_t length = std::min(kUpdateBlock, offset + count - begin);
        float* states[kMaxStates];
        for (size_t s = 0; s < kMaxStates; ++s) {
          auto* state = a.view<float>(kFirstState + s);
          states[s] = state == nullptr ? nullptr : state + begin;
        }
        partial[b] =
            kernel(a.view<float>(0) + begin, a.view<const float>(1) + begin, states, nullptr, length, u).squares;
      }
      block += own;
    }
  });

  auto* penalty = a.view<float>(kPenalty);
  if (penalty == nullptr) return;
  double sum = 0;  // Σ (λ/2)·Σθ², blocks in order
  size_t block = 0;
  for (size_t i = 0; i < segments; ++i) {
    double squares = 0;
    const size_t own = blocks_of(a.size(kHeadInts + 2 * i + 1));
    for (size_t b = 0; b < own; ++b) squares += static_cast<double>(partial[block + b]);
    sum += 0.5 * factors[2 * i] * squares;
    block += own;
  }
  *penalty = static_cast<float>(sum);
}

}  // namespace

constinit const Operation op_update{"update", "MfM?M?M?F?", "ii*",          -1 - static_cast<int>(kRuleDoubles),
                                    false,    check_update, scratch_update, run_update};

}  // namespace carillon
