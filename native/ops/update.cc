// The optimizer's update: one pass over all segments of a slab, in place, with clipping, penalties, decay, the proximal
// step, the moving average and max-norm folded in, and the penalties summed on the way.
#include <algorithm>
#include <cmath>
#include <limits>

#include "scatter.h"
#include "update.h"

namespace carillon {
namespace {

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
bool is_summed(const Arguments& a) { return a.views[UpdateAt::row_numbers] != nullptr; }
// Or `gradients` is what flows back from `count` look-ups in it, put together by rows here, a few at a time.
bool is_flowing(const Arguments& a) { return a.views[UpdateAt::indices] != nullptr; }
bool in_rows(const Arguments& a) { return is_summed(a) || is_flowing(a); }

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
  if (is_summed(a) != (a.views[UpdateAt::touched] != nullptr)) return r.fail("rows and their count go together");
  const size_t states = kStates[a.ints[UpdateAt::rule]];
  r.need(UpdateAt::parameters, end);
  if (is_summed(a) && is_flowing(a)) return r.fail("rows or look-ups are wanted");
  if (in_rows(a) && segments != 1) return r.fail("one table and its rows are wanted");
  if (is_flowing(a)) {
    check_look_ups<UpdateAt>(a, r, segment_of(a, 0).columns);
  } else if (is_summed(a)) {
    r.need(UpdateAt::gradients, a.size(UpdateAt::room), segment_of(a, 0).columns);
    r.need(UpdateAt::touched, 1);
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
  r.need(UpdateAt::squares, 1);
}

size_t all_blocks(const Arguments& a) {
  size_t blocks = 0;
  for (size_t i = 0; i < segment_count(a); ++i) blocks += segment_of(a, i).blocks();
  return blocks;
}

// Touched rows at most.
size_t room_of(const Arguments& a) {
  if (is_flowing(a)) return std::min(a.size(UpdateAt::count), segment_of(a, 0).rows);
  return is_summed(a) ? a.size(UpdateAt::room) : 0;
}

// Whether rows that flow back are summed before the update, as one is more than a thread sums beside it.
bool are_long(const Arguments& a) { return is_flowing(a) && segment_of(a, 0).columns > kUpdateBlock; }

// What stands where in the scratch, in bytes: first sums a block, or a touched row; then squares a chunk of touched
// rows; long rows; what scatter() takes. All begin at a multiple of 8.
struct Layout {
  size_t squares;
  size_t long_rows;
  size_t scattered;
  size_t bytes;

  explicit Layout(const Arguments& a) {
    const auto floats = [](size_t count) { return (count + 1) / 2 * 2 * sizeof(float); };
    const size_t room = room_of(a);
    squares = std::max(all_blocks(a), room) * sizeof(UpdateSums);
    long_rows = squares + floats(std::max<size_t>(room, 1));
    scattered = long_rows + (are_long(a) ? floats(room * segment_of(a, 0).columns) : 0);
    bytes = scattered + (is_flowing(a) ? scatter_bytes<UpdateAt>(a) : 0);
  }
};

struct Scratch {
  UpdateSums* sums;
  float* squares;
  float* long_rows;
  void* scattered;

  Scratch(const Arguments& a, void* memory) {
    const Layout layout(a);
    auto* const at = static_cast<std::byte*>(memory);
    sums = static_cast<UpdateSums*>(memory);
    squares = reinterpret_cast<float*>(at + layout.squares);
    long_rows = reinterpret_cast<float*>(at + layout.long_rows);
    scattered = at + layout.scattered;
  }
};

size_t scratch_update(const Arguments& a, const KernelTable& /*kernels*/) { return Layout(a).bytes; }

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

  UpdateTask task(const float* gradients, size_t count) const {
    return {parameters, gradients, {states[0], states[1], states[2]}, average, count};
  }
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

// A gradient in rows: `sums` one after another, or what flows back, from which they are made where they are wanted.
struct RowGradients {
  TouchedRows touched;
  const float* sums;
  Scattered scattered;

  // Elements [from, from + columns) of touched rows [first, last): where they are, or in `room`.
  const float* at(const KernelTable& kernels, size_t stride, size_t first, size_t last, size_t from, size_t columns,
                  float* room) const {
    if (sums != nullptr) return sums + first * stride + from;
    scattered.sum(kernels, first, last, from, columns, room);
    return room;
  }
};

// A gradient in rows as the dense one would be, kUpdateBlock elements at most at a time.
class ScatteredGradients {
 public:
  ScatteredGradients(const KernelTable& kernels, const RowGradients& gradients)
      : kernels_(kernels), gradients_(gradients) {}
  const float* at(const Segment& segment, size_t begin, size_t length) {
    if (!zero_) std::fill_n(block_, kUpdateBlock, 0.0f);
    zero_ = true;
    const size_t columns = segment.columns, end = begin + length;
    const TouchedRows& touched = gradients_.touched;
    for (size_t i = touched.from(begin / columns); i < touched.count; ++i) {
      const size_t first = static_cast<size_t>(touched.rows[i]) * columns;
      if (first >= end) break;
      const size_t from = std::max(begin, first), count = std::min(end, first + columns) - from;
      float* const place = block_ + (from - begin);
      const float* const own = gradients_.at(kernels_, columns, i, i + 1, from - first, count, place);
      if (own != place) std::copy_n(own, count, place);
      zero_ = false;
    }
    return block_;
  }

 private:
  const KernelTable& kernels_;
  const RowGradients& gradients_;
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
    return kernel(s.task(gradients.at(segment, begin, length), length), u);
  }
  UpdateSums sums{0, 0};
  for (size_t done = 0; done < length; done += kUpdateBlock) {
    const Slices s = slices_at(a, segment.offset + begin + done);
    const size_t piece = std::min(kUpdateBlock, length - done);
    UpdateTask task = s.task(gradients.at(segment, begin + done, piece), piece);
    task.average = nullptr;
    const UpdateSums part = kernel(task, u);
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
                  const RowGradients* rows) {
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
    if (rows == nullptr) {
      DenseGradients dense{gradients};
      update_blocks(context, a, common, scheduled, dense, false, share);
    } else {
      ScatteredGradients scattered(context.kernels, *rows);
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

// Touched rows [first, last); those up to `known` come next. `squares` receives those of the new rows, where it is
// there.
UpdateSums update_rows(const Context& context, const Arguments& a, const Segment& segment, const UpdateArguments& u,
                       const RowGradients& gradients, size_t first, size_t last, size_t known, float* squares) {
  alignas(64) float room[kUpdateBlock];
  const size_t columns = segment.columns;
  const Slices table = slices_at(a, segment.offset);
  const RowsTask flows = gradients.scattered.sums(first, last, 0, columns, room);
  const bool summed = gradients.sums != nullptr;
  UpdateTask task = table.task(summed ? gradients.sums + first * columns : room, columns);
  task.rows = gradients.touched.rows + first;
  task.row_count = last - first;
  task.known = known - first;
  if (!summed) {
    task.flows = &flows;
    task.room = room;
  }
  if (!segment.by_rows()) {
    task.new_squares = squares;
    return context.kernels.update[a.ints[UpdateAt::rule]](task, u);
  }
  task.average = nullptr;
  const UpdateSums sums = context.kernels.update[a.ints[UpdateAt::rule]](task, u);
  for (size_t i = first; i < last; ++i) {
    const Slices row = slices_at(a, segment.offset + static_cast<size_t>(gradients.touched.rows[i]) * columns);
    bound_rows(context, row.parameters, 1, columns, static_cast<float>(segment.factors[kMaxNorm]));
    if (row.average != nullptr)
      context.kernels.average_f32(row.parameters, row.average, columns, u.average_keep, u.average_take);
  }
  if (squares != nullptr)
    *squares = context.kernels.rows_squares_f32(table.parameters, task.rows, task.row_count, columns);
  return sums;
}

// Rows that are updated before their norms are bounded, so that they are still in the first-level cache then.
constexpr size_t kTogetherFloats = 1024;

// The touched rows alone; the penalty is theirs. `squares` is where the squares of the new rows are wanted.
double update_touched(const Context& context, const Arguments& a, const UpdateArguments& common,
                      const Scheduled& scheduled, const RowGradients& gradients) {
  const Segment segment = segment_of(a, 0);
  const size_t columns = segment.columns, touched = gradients.touched.count;
  UpdateArguments u = for_segment(common, segment, scheduled);
  u.ahead = 0;
  const Scratch scratch(a, context.scratch);
  auto* const squares = a.view<float>(UpdateAt::squares);
  // Sums of single rows are wanted, or all are 0.
  const bool apart = u.squares || u.absolutes;
  size_t together = touched;
  if (segment.by_rows()) together = std::max<size_t>(1, kTogetherFloats / columns);
  if (apart) together = 1;
  const size_t wanted = context.parallel.chunks(touched * columns, kLeastElements);
  const size_t chunks = std::min(std::max<size_t>(touched, 1), wanted);
  context.parallel.run(chunks, [&](size_t chunk) {
    const size_t end = touched * (chunk + 1) / chunks;
    float own = 0;
    for (size_t i = touched * chunk / chunks; i < end;) {
      const size_t next = std::min(end, i + together);
      float part = 0;
      const UpdateSums sums =
          update_rows(context, a, segment, u, gradients, i, next, end, squares == nullptr ? nullptr : &part);
      if (apart) scratch.sums[i] = sums;
      own += part;
      i = next;
    }
    scratch.squares[chunk] = own;
  });
  if (squares != nullptr) {
    *squares = 0;
    for (size_t chunk = 0; chunk < chunks; ++chunk) *squares += scratch.squares[chunk];
  }
  return apart ? penalty_of(segment, scratch.sums, touched) : 0;
}

// The gradient of the table; nothing, with a fault, where it is none.
RowGradients row_gradients(const Context& context, const Arguments& a) {
  const Segment segment = segment_of(a, 0);
  if (is_summed(a)) {
    const TouchedRows touched =
        touched_rows(context, a.view<const int32_t>(UpdateAt::touched), a.view<const int32_t>(UpdateAt::row_numbers),
                     a.size(UpdateAt::room), segment.rows);
    return {touched, a.view<const float>(UpdateAt::gradients), {}};
  }
  const Scratch scratch(a, context.scratch);
  const Scattered scattered = scatter(context, look_ups<UpdateAt>(a, segment.rows, segment.columns), scratch.scattered);
  if (are_long(a)) scattered.sum(context.kernels, 0, scattered.touched, scratch.long_rows);
  return {{scattered.rows, scattered.touched}, are_long(a) ? scratch.long_rows : nullptr, scattered};
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
    const RowGradients gradients = row_gradients(context, a);
    if (context.fault.what != nullptr) return;
    const auto reach = static_cast<Reach>(a.ints[UpdateAt::reach]);
    const bool all =
        reach == Reach::all || (reach == Reach::moving && !keeps_still(common.gradient_scale, scheduled.rate));
    if (auto* squares = a.view<float>(UpdateAt::squares)) *squares = std::numeric_limits<float>::quiet_NaN();
    total = all ? update_all(context, a, common, scheduled, &gradients)
                : update_touched(context, a, common, scheduled, gradients);
  }
  if (auto* penalty = a.view<float>(UpdateAt::penalty)) *penalty = static_cast<float>(total);
}

}  // namespace

constinit const Operation op_update{"update", UpdateAt::all, false, check_update, scratch_update, run_update};

}  // namespace carillon
