// The optimizer's update: one pass over all segments of a slab, in place, with clipping, penalties, decay, the proximal
// step, the moving average and max-norm folded in, and the penalties summed on the way.
#include <algorithm>
#include <cmath>

#include "rows.h"

namespace carillon {
namespace {

struct UpdateAt {
  static constexpr Operands all{
      "parameters:M gradients:f states[3]:M? average:M? gradient_scale:f? penalty:F? count:i? rows:i?",
      "rule:optimizers lane:i constants:# scalars:i average_lane:b? decay_lane:i? reach:reaches? room:i? "
      "segments*(offset,rows,columns,metric:b)",
      "constants[8] clip_value average_decay? "
      "segments*(l2,l1,decay,scheduled_decay,shrink,max_norm,penalty_squares,penalty_absolutes)"};
  static constexpr size_t parameters = all.view("parameters"), gradients = all.view("gradients"),
                          states = all.view("states"), average = all.view("average"),
                          gradient_scale = all.view("gradient_scale"), penalty = all.view("penalty"),
                          count = all.view("count"), row_numbers = all.view("rows");
  static constexpr size_t rule = all.integer("rule"), lane = all.integer("lane"), constants = all.integer("constants"),
                          scalars = all.integer("scalars"), average_lane = all.integer("average_lane"),
                          decay_lane = all.integer("decay_lane"), reach = all.integer("reach"),
                          room = all.integer("room");
  static constexpr size_t constants_room = all.number("constants"), clip_value = all.number("clip_value"),
                          average_decay = all.number("average_decay");
};

// Lanes: the rate's, behind it those of the rule's scalars, and where `average_lane` says so the decay of the average.
// Scheduled decays are multiplied by the lane `decay_lane` − 1; where it is 0 there are none.
constexpr size_t kHeadInts = UpdateAt::all.int_count;
constexpr size_t kSegmentInts = UpdateAt::all.int_item;
constexpr size_t kConstants = UpdateAt::clip_value - UpdateAt::constants_room;
constexpr size_t kHeadDoubles = UpdateAt::all.double_count;
static_assert(UpdateAt::average - UpdateAt::states == kMaxStates);
constexpr size_t kRuleFloats = sizeof(UpdateArguments::rule) / sizeof(float);

// Factors of a segment, in this order.
enum Factor : size_t {
  kL2,
  kL1,
  kDecay,
  kScheduledDecay,
  kShrink,
  kMaxNorm,
  kPenaltySquares,
  kPenaltyAbsolutes,
  kFactors
};
static_assert(kFactors == UpdateAt::all.double_item);

// Which rows of a table an update with a gradient in rows works on.
enum class Reach : int64_t {
#define X(name) name,
#include "reaches.def"
#undef X
  count
};

// Flags of a segment.
constexpr int64_t kMetric = 1;

constexpr size_t kStates[] = {
#define X(name, states) states,
#include "../kernels/optimizers.def"
#undef X
};

struct Segment {
  size_t offset;
  size_t rows;
  size_t columns;
  bool metric;
  const double* factors;

  size_t count() const { return rows * columns; }
  bool by_rows() const { return factors[kMaxNorm] > 0; }
  // Elements of a block: whole rows where their norms are bounded, kUpdateBlock otherwise.
  size_t block() const {
    if (!by_rows()) return kUpdateBlock;
    return std::max<size_t>(1, kUpdateBlock / columns) * columns;
  }
  size_t blocks() const { return (count() + block() - 1) / block(); }
};

// The one segment is a table, whose gradient is in rows: `gradients` has those of `room` rows at most.
bool in_rows(const Arguments& a) { return a.views[UpdateAt::row_numbers] != nullptr; }

size_t segment_count(const Arguments& a) { return (a.int_count - kHeadInts) / kSegmentInts; }

Segment segment_of(const Arguments& a, size_t index) {
  const size_t at = kHeadInts + kSegmentInts * index;
  return {a.size(at), a.size(at + 1), a.size(at + 2), (a.ints[at + 3] & kMetric) != 0,
          a.doubles + kHeadDoubles + kFactors * index};
}

void check_update(const Arguments& a, Requirements& r) {
  if (a.ints[UpdateAt::rule] < 0 || a.ints[UpdateAt::rule] >= static_cast<int64_t>(Optimizer::count))
    return r.fail("no such rule");
  if (a.ints[UpdateAt::lane] < 0 || a.ints[UpdateAt::decay_lane] < 0) return r.fail("no such schedule");
  if (a.ints[UpdateAt::average_lane] != 0 && a.ints[UpdateAt::average_lane] != 1)
    return r.fail("a decay of the average or none is wanted");
  if (a.ints[UpdateAt::constants] < 0 || a.ints[UpdateAt::scalars] < 0 || a.size(UpdateAt::constants) > kConstants ||
      a.size(UpdateAt::scalars) > kRuleFloats - kConstants) {
    return r.fail("too many constants of the rule");
  }
  if (a.ints[UpdateAt::reach] < 0 || a.ints[UpdateAt::reach] >= static_cast<int64_t>(Reach::count))
    return r.fail("no such reach");
  if (a.ints[UpdateAt::room] < 0) return r.fail("a negative size");
  const size_t segments = segment_count(a);
  if (a.double_count != kHeadDoubles + kFactors * segments) return r.fail("eight numbers a segment are wanted");
  size_t end = 0;
  for (size_t i = 0; i < segments; ++i) {
    for (size_t k = 0; k < kSegmentInts; ++k) {
      if (a.ints[kHeadInts + kSegmentInts * i + k] < 0) return r.fail("negative segment");
    }
    const Segment segment = segment_of(a, i);
    if (segment.offset < end) return r.fail("segments overlap");
    if (segment.rows == 0 || segment.columns == 0) return r.fail("an empty segment");
    end = segment.offset + segment.count();
  }
  if (in_rows(a) != (a.views[UpdateAt::count] != nullptr)) return r.fail("rows and their count go together");
  const size_t states = kStates[a.ints[UpdateAt::rule]];
  r.need(UpdateAt::parameters, end);
  if (in_rows(a)) {
    if (segments != 1) return r.fail("one table and its rows are wanted");
    r.need(UpdateAt::gradients, a.size(UpdateAt::room), segment_of(a, 0).columns);
    r.need(UpdateAt::count, 1);
    r.need(UpdateAt::row_numbers, a.size(UpdateAt::room));
  } else {
    r.need(UpdateAt::gradients, end);
  }
  for (size_t i = 0; i < kMaxStates; ++i) {
    if ((a.views[UpdateAt::states + i] != nullptr) != (i < states))
      return r.fail("wrong number of states for the rule");
    r.need(UpdateAt::states + i, end);
  }
  r.need(UpdateAt::average, end);
  r.need(UpdateAt::gradient_scale, 1);
  r.need(UpdateAt::penalty, 1);
}

size_t all_blocks(const Arguments& a) {
  size_t blocks = 0;
  for (size_t i = 0; i < segment_count(a); ++i) blocks += segment_of(a, i).blocks();
  return blocks;
}

// Sums a block, or a touched row.
size_t scratch_update(const Arguments& a, const KernelTable& /*kernels*/) {
  const size_t rows = in_rows(a) ? a.size(UpdateAt::room) : 0;
  return std::max(all_blocks(a), rows) * sizeof(UpdateSums);
}

// How far ahead the update asks for the lines of its arrays.
size_t distance_of(const Arguments& a) {
  const size_t segments = segment_count(a);
  if (segments == 0) return 0;
  const Segment last = segment_of(a, segments - 1);
  const size_t arrays = 2 + kStates[a.ints[UpdateAt::rule]] + (a.view<float>(UpdateAt::average) == nullptr ? 0 : 1);
  return prefetch_distance((last.offset + last.count()) * arrays * sizeof(float), arrays);
}

double lane(const Context& context, size_t index) {
  return index < context.registers.lane_count ? context.registers.lanes[index] : 0.0;
}

// What is the same for every segment.
UpdateArguments prepare(const Context& context, const Arguments& a) {
  UpdateArguments u{};
  const auto* scale = a.view<const float>(UpdateAt::gradient_scale);
  u.gradient_scale = scale == nullptr ? 1.0f : *scale;
  u.clip_value = static_cast<float>(a.doubles[UpdateAt::clip_value]);
  const double decay = a.ints[UpdateAt::average_lane] == 0
                           ? a.doubles[UpdateAt::average_decay]
                           : lane(context, a.size(UpdateAt::lane) + 1 + a.size(UpdateAt::scalars));
  u.average_keep = static_cast<float>(decay);
  u.average_take = static_cast<float>(1 - decay);
  u.ahead = distance_of(a);
  const size_t constants = a.size(UpdateAt::constants);
  for (size_t i = 0; i < constants; ++i) u.rule[i] = static_cast<float>(a.doubles[UpdateAt::constants_room + i]);
  for (size_t i = 0; i < a.size(UpdateAt::scalars); ++i)
    u.rule[constants + i] = static_cast<float>(lane(context, a.size(UpdateAt::lane) + 1 + i));
  return u;
}

// Rows of ‖·‖₂ > c are scaled to c: the norm in float by the contract's reduction, the factor c/‖·‖ rounded once.
void bound_rows(const Context& context, float* parameters, size_t rows, size_t columns, float bound) {
  const BinaryKernels& multiply = context.kernels.binary[static_cast<size_t>(Binary::multiply)];
  for (size_t row = 0; row < rows; ++row) {
    float* x = parameters + row * columns;
    const float norm = std::sqrt(context.kernels.sum_squares_f32(x, columns));
    if (norm > bound) multiply.vector_scalar(x, bound / norm, x, columns);
  }
}

// What schedules say of a step: the rate, and what scheduled decays are multiplied by.
struct Scheduled {
  double rate;
  double decay;
};

Scheduled scheduled_in(const Context& context, const Arguments& a) {
  const size_t decay = a.size(UpdateAt::decay_lane);
  return {lane(context, a.size(UpdateAt::lane)), decay == 0 ? 0.0 : lane(context, decay - 1)};
}

// The arguments of one segment: products of the rate in double, rounded once.
UpdateArguments for_segment(UpdateArguments u, const Segment& segment, const Scheduled& scheduled) {
  const double* f = segment.factors;
  u.rate = static_cast<float>(scheduled.rate);
  u.l2 = static_cast<float>(f[kL2]);
  u.l1 = static_cast<float>(f[kL1]);
  u.decay = static_cast<float>(scheduled.rate * (f[kDecay] + scheduled.decay * f[kScheduledDecay]));
  u.shrink = static_cast<float>(scheduled.rate * f[kShrink]);
  u.metric = segment.metric;
  u.squares = f[kPenaltySquares] != 0;
  u.absolutes = f[kPenaltyAbsolutes] != 0;
  return u;
}

struct Slices {
  float* parameters;
  float* states[kMaxStates];
  float* average;
};

Slices slices_at(const Arguments& a, size_t begin) {
  Slices s{};
  s.parameters = a.view<float>(UpdateAt::parameters) + begin;
  for (size_t i = 0; i < kMaxStates; ++i) {
    auto* state = a.view<float>(UpdateAt::states + i);
    s.states[i] = state == nullptr ? nullptr : state + begin;
  }
  auto* average = a.view<float>(UpdateAt::average);
  s.average = average == nullptr ? nullptr : average + begin;
  return s;
}

// Gradients in the layout of the slab.
struct DenseGradients {
  const float* of_slab;
  const float* at(const Segment& segment, size_t begin, size_t /*length*/) const {
    return of_slab + segment.offset + begin;
  }
};

// A gradient in rows as the dense one would be, kUpdateBlock elements at most at a time.
class ScatteredGradients {
 public:
  ScatteredGradients(const TouchedRows& touched, const float* gradients) : touched_(touched), gradients_(gradients) {}
  const float* at(const Segment& segment, size_t begin, size_t length) {
    if (!zero_) std::fill_n(block_, kUpdateBlock, 0.0f);
    zero_ = true;
    const size_t columns = segment.columns, end = begin + length;
    for (size_t i = touched_.from(begin / columns); i < touched_.count; ++i) {
      const size_t first = static_cast<size_t>(touched_.rows[i]) * columns;
      if (first >= end) break;
      const size_t from = std::max(begin, first);
      std::copy_n(gradients_ + i * columns + (from - first), std::min(end, first + columns) - from,
                  block_ + (from - begin));
      zero_ = false;
    }
    return block_;
  }

 private:
  const TouchedRows& touched_;
  const float* gradients_;
  bool zero_ = false;
  alignas(64) float block_[kUpdateBlock];
};

// One block of a segment, or several. With a bound on the rows' norms the block is whole rows, updated in pieces that
// the kernel takes; the average comes last then, as the weights are final only after the scaling.
template <class Gradients>
UpdateSums update_block(const Context& context, const Arguments& a, const Segment& segment, const UpdateArguments& u,
                        Gradients& gradients, size_t begin, size_t length) {
  const UpdateKernel kernel = context.kernels.update[a.ints[UpdateAt::rule]];
  if (!segment.by_rows()) {
    const Slices s = slices_at(a, segment.offset + begin);
    return kernel(s.parameters, gradients.at(segment, begin, length), s.states, s.average, length, u);
  }
  UpdateSums sums{0, 0};
  for (size_t done = 0; done < length; done += kUpdateBlock) {
    const Slices s = slices_at(a, segment.offset + begin + done);
    const size_t piece = std::min(kUpdateBlock, length - done);
    const UpdateSums part =
        kernel(s.parameters, gradients.at(segment, begin + done, piece), s.states, nullptr, piece, u);
    sums = {sums.squares + part.squares, sums.absolutes + part.absolutes};
  }
  const Slices s = slices_at(a, segment.offset + begin);
  bound_rows(context, s.parameters, length / segment.columns, segment.columns,
             static_cast<float>(segment.factors[kMaxNorm]));
  if (s.average != nullptr)
    context.kernels.average_f32(s.parameters, s.average, length, u.average_keep, u.average_take);
  return sums;
}

// (λ₂/2)·Σθ² + λ₁·Σ|θ| of a segment, blocks or rows in order, in double.
double penalty_of(const Segment& segment, const UpdateSums* sums, size_t count) {
  double squares = 0;
  double absolutes = 0;
  for (size_t i = 0; i < count; ++i) {
    squares += static_cast<double>(sums[i].squares);
    absolutes += static_cast<double>(sums[i].absolutes);
  }
  return 0.5 * segment.factors[kPenaltySquares] * squares + segment.factors[kPenaltyAbsolutes] * absolutes;
}

// What a chunk of the work has of every segment: of a long one an even share of its own, as products divide the rows of
// a weight and of its gradient, so that these stay with the thread that has them in its cache; short ones are divided
// as if they were one.
class Share {
 public:
  Share(size_t short_blocks, size_t chunk, size_t chunks)
      : chunk_(chunk),
        chunks_(chunks),
        first_(short_blocks * chunk / chunks),
        last_(short_blocks * (chunk + 1) / chunks) {}

  static bool is_long(size_t blocks, size_t chunks) { return blocks >= 2 * chunks; }

  struct Blocks {
    size_t first, last;
  };

  // Of the next segment, in their order.
  Blocks next(size_t blocks) {
    if (is_long(blocks, chunks_)) return {blocks * chunk_ / chunks_, blocks * (chunk_ + 1) / chunks_};
    const size_t before = short_;
    short_ += blocks;
    return {std::clamp(first_, before, short_) - before, std::clamp(last_, before, short_) - before};
  }

 private:
  size_t chunk_, chunks_;
  size_t first_, last_;  // of the blocks of all short segments
  size_t short_ = 0;     // those of the segments already seen
};

// The blocks of all segments that are a chunk's share.
template <class Gradients>
void update_blocks(const Context& context, const Arguments& a, const UpdateArguments& common,
                   const Scheduled& scheduled, Gradients& gradients, bool single, Share share) {
  auto* sums = static_cast<UpdateSums*>(context.scratch);
  for (size_t i = 0; i < segment_count(a); ++i) {
    const Segment segment = segment_of(a, i);
    const auto [first, last] = share.next(segment.blocks());
    const UpdateArguments u = for_segment(common, segment, scheduled);
    // Blocks in a row are one call of the kernel where no sums of single blocks are wanted.
    const bool apart = single || segment.by_rows() || u.squares || u.absolutes;
    for (size_t b = first; b < last;) {
      const size_t next = apart ? b + 1 : last;
      const size_t begin = b * segment.block();
      const size_t length = std::min((next - b) * segment.block(), segment.count() - begin);
      sums[b] = update_block(context, a, segment, u, gradients, begin, length);
      for (++b; b < next; ++b) sums[b] = {0, 0};
    }
    sums += segment.blocks();
  }
}

// Everything of every segment; the penalty.
double update_all(const Context& context, const Arguments& a, const UpdateArguments& common, const Scheduled& scheduled,
                  const TouchedRows* touched) {
  const size_t blocks = all_blocks(a);
  const auto* gradients = a.view<const float>(UpdateAt::gradients);
  const size_t wanted = context.parallel.chunks(blocks * kUpdateBlock, kLeastElements);
  const size_t chunks = std::min(std::max<size_t>(blocks, 1), wanted);
  size_t short_blocks = 0;
  for (size_t i = 0; i < segment_count(a); ++i) {
    const size_t count = segment_of(a, i).blocks();
    if (!Share::is_long(count, chunks)) short_blocks += count;
  }
  context.parallel.run(chunks, [&](size_t chunk) {
    const Share share(short_blocks, chunk, chunks);
    if (touched == nullptr) {
      DenseGradients dense{gradients};
      update_blocks(context, a, common, scheduled, dense, false, share);
    } else {
      ScatteredGradients scattered(*touched, gradients);
      update_blocks(context, a, common, scheduled, scattered, true, share);
    }
  });
  const auto* sums = static_cast<const UpdateSums*>(context.scratch);
  double total = 0;
  for (size_t i = 0; i < segment_count(a); ++i) {
    const Segment segment = segment_of(a, i);
    total += penalty_of(segment, sums, segment.blocks());
    sums += segment.blocks();
  }
  return total;
}

// The lines of a row that an update reads and writes.
[[gnu::always_inline]] inline void fetch_slices(const Slices& s, size_t columns) {
  fetch_row<true>(s.parameters, columns * sizeof(float));
  for (const float* state : s.states) {
    if (state != nullptr) fetch_row<true>(state, columns * sizeof(float));
  }
  if (s.average != nullptr) fetch_row<true>(s.average, columns * sizeof(float));
}

// One touched row, or several that are neighbours.
UpdateSums update_rows(const Context& context, const Arguments& a, const Segment& segment, const UpdateArguments& u,
                       size_t row, const float* gradients, size_t rows) {
  const Slices s = slices_at(a, segment.offset + row * segment.columns);
  const bool bounded = segment.by_rows();
  const size_t count = rows * segment.columns;
  const UpdateSums sums = context.kernels.update[a.ints[UpdateAt::rule]](s.parameters, gradients, s.states,
                                                                         bounded ? nullptr : s.average, count, u);
  if (!bounded) return sums;
  bound_rows(context, s.parameters, rows, segment.columns, static_cast<float>(segment.factors[kMaxNorm]));
  if (s.average != nullptr) context.kernels.average_f32(s.parameters, s.average, count, u.average_keep, u.average_take);
  return sums;
}

// The touched rows alone; the penalty is theirs.
double update_touched(const Context& context, const Arguments& a, const UpdateArguments& common,
                      const Scheduled& scheduled, const TouchedRows& touched) {
  const Segment segment = segment_of(a, 0);
  const size_t columns = segment.columns;
  UpdateArguments u = for_segment(common, segment, scheduled);
  u.ahead = 0;
  auto* sums = static_cast<UpdateSums*>(context.scratch);
  const auto* gradients = a.view<const float>(UpdateAt::gradients);
  const bool apart = u.squares || u.absolutes;
  const size_t wanted = context.parallel.chunks(touched.count * columns, kLeastElements);
  const size_t chunks = std::min(std::max<size_t>(touched.count, 1), wanted);
  context.parallel.run(chunks, [&](size_t chunk) {
    const size_t end = touched.count * (chunk + 1) / chunks;
    for (size_t i = touched.count * chunk / chunks; i < end;) {
      const auto row = static_cast<size_t>(touched.rows[i]);
      size_t next = i + 1;
      while (!apart && next < end && static_cast<size_t>(touched.rows[next]) == row + (next - i)) ++next;
      for (size_t ahead = i + kRowsAhead; ahead < std::min(next + kRowsAhead, end); ++ahead) {
        fetch_slices(slices_at(a, segment.offset + static_cast<size_t>(touched.rows[ahead]) * columns), columns);
      }
      sums[i] = update_rows(context, a, segment, u, row, gradients + i * columns, next - i);
      for (++i; i < next; ++i) sums[i] = {0, 0};
    }
  });
  return penalty_of(segment, sums, touched.count);
}

// Whether θ − η·(scale·0) is θ, whatever θ: a scale that is NaN reaches all rows, and a negative zero turns −0 around.
bool keeps_still(float scale, double rate) {
  const auto rounded = static_cast<float>(rate);
  return std::isfinite(scale) && std::isfinite(rounded) && !std::signbit(scale) && !std::signbit(rounded);
}

void run_update(const Context& context, const Arguments& a) {
  const UpdateArguments common = prepare(context, a);
  const Scheduled scheduled = scheduled_in(context, a);
  double total = 0;
  if (!in_rows(a)) {
    total = update_all(context, a, common, scheduled, nullptr);
  } else {
    const TouchedRows touched =
        touched_rows(context, a.view<const int32_t>(UpdateAt::count), a.view<const int32_t>(UpdateAt::row_numbers),
                     a.size(UpdateAt::room), segment_of(a, 0).rows);
    if (context.fault.what != nullptr) return;
    const auto reach = static_cast<Reach>(a.ints[UpdateAt::reach]);
    const bool all =
        reach == Reach::all || (reach == Reach::moving && !keeps_still(common.gradient_scale, scheduled.rate));
    total = all ? update_all(context, a, common, scheduled, &touched)
                : update_touched(context, a, common, scheduled, touched);
  }
  if (auto* penalty = a.view<float>(UpdateAt::penalty)) *penalty = static_cast<float>(total);
}

}  // namespace

constinit const Operation op_update{"update", UpdateAt::all, false, check_update, scratch_update, run_update};

}  // namespace carillon
