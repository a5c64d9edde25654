// Draws: masks, initial weights, orders. Each is a function of (seed, purpose, step or name, index) and of nothing
// else.
#include <algorithm>
#include <cmath>

#include "math_double.h"
#include "operation.h"
#include "philox.h"
#include "random.h"

namespace carillon {
namespace {

struct NoiseAt : MaskedAt {
  static constexpr Operands all{views, "rows:d columns:d site:i group:i example_rows:i", "deviation"};
  static constexpr size_t deviation = all.number("deviation");
};
// Of what draws initial weights.
struct DrawnAt {
  static constexpr const char* views = "y:F";
  static constexpr const char* ints = "count:d hash_low:i hash_high:i";
  static constexpr Operands all{views, ints, ""};
  static constexpr size_t y = all.view("y");
  static constexpr size_t count = all.integer("count"), hash_low = all.integer("hash_low"),
                          hash_high = all.integer("hash_high");
};
struct UniformAt : DrawnAt {
  static constexpr Operands all{views, ints, "low high"};
  static constexpr size_t low = all.number("low"), high = all.number("high");
};
struct NormalAt : DrawnAt {
  static constexpr Operands all{views, ints, "mean deviation"};
  static constexpr size_t mean = all.number("mean"), deviation = all.number("deviation");
};
struct PermutationAt {
  static constexpr Operands all{"order:I", "count:d shuffled:b", ""};
  static constexpr size_t order = all.view("order");
  static constexpr size_t count = all.integer("count"), shuffled = all.integer("shuffled");
};

// `group`: rows that share a mask; `example_rows`: rows an example (0: not an array of the batch). The element at (row,
// column) has the index (first + row)/group·columns + column, where first counts the rows of the examples before this
// micro-batch: the mask is that of the whole optimizer batch.
void check_masked(const Arguments& a, Requirements& r) {
  if (a.ints[MaskedAt::site] < 0) r.fail("negative site");
  if (a.ints[MaskedAt::group] < 1 || a.ints[MaskedAt::example_rows] < 0) r.fail("bad rows of a mask");
  r.need(MaskedAt::x, a.size(MaskedAt::rows), a.size(MaskedAt::columns));
  r.need(MaskedAt::y, a.size(MaskedAt::rows), a.size(MaskedAt::columns));
}

// Calls part(begin, end, index of the first element) over stretches with consecutive indices.
template <typename Part>
void over_masked(const Context& context, const Arguments& a, const Part& part) {
  const size_t rows = a.size(MaskedAt::rows);
  const size_t columns = a.size(MaskedAt::columns);
  const size_t group = a.size(MaskedAt::group);
  const uint64_t first = static_cast<uint64_t>(context.registers.batch_offset) * a.size(MaskedAt::example_rows);
  if (group == 1) {
    // A block of the generator serves 256 neighbouring elements: pieces begin at whole blocks of the local index.
    const size_t count = rows * columns;
    const size_t chunks = context.parallel.chunks(count, kLeastElements);
    const size_t step = ((count + chunks - 1) / chunks + 255) / 256 * 256;
    context.parallel.run(chunks, [&](size_t chunk) {
      const size_t begin = std::min(chunk * step, count);
      const size_t end = std::min(begin + step, count);
      if (begin < end) part(begin, end, first * columns + begin);
    });
    return;
  }
  over_rows(context, rows, columns, [&](size_t begin, size_t end) {
    for (size_t row = begin; row < end; ++row) {
      part(row * columns, (row + 1) * columns, (first + row) / group * columns);
    }
  });
}

// keep: probability of keeping; scale and shift of what is kept; `dropped`: what the rest becomes; `lane`: see
// lanes_end.
void check_dropout(const Arguments& a, Requirements& r) {
  if (!(a.doubles[DropoutAt::keep] >= 0 && a.doubles[DropoutAt::keep] <= 1)) r.fail("keep outside [0, 1]");
  if (a.ints[DropoutAt::lane] < 0) r.fail("no such schedule");
  check_masked(a, r);
}

void run_dropout(const Context& context, const Arguments& a) {
  const auto* x = a.view<const float>(DropoutAt::x);
  auto* y = a.view<float>(DropoutAt::y);
  DropoutArguments arguments =
      mask_of_step(context, a, DropoutAt::site, a.doubles[DropoutAt::keep], a.doubles[DropoutAt::scale]);
  arguments.shift = static_cast<float>(a.doubles[DropoutAt::shift]);
  arguments.dropped = static_cast<float>(a.doubles[DropoutAt::dropped]);
  over_masked(context, a, [&](size_t begin, size_t end, uint64_t index) {
    context.kernels.dropout_f32(x + begin, y + begin, end - begin, index, arguments);
  });
}

void check_noise(const Arguments& a, Requirements& r) {
  if (!(a.doubles[NoiseAt::deviation] >= 0)) r.fail("negative deviation");
  check_masked(a, r);
}

void run_noise(const Context& context, const Arguments& a) {
  const auto* x = a.view<const float>(NoiseAt::x);
  auto* y = a.view<float>(NoiseAt::y);
  NoiseArguments arguments{};
  arguments.seed = context.registers.seed;
  arguments.step = context.registers.step;
  arguments.site = static_cast<uint32_t>(a.ints[NoiseAt::site]);
  arguments.deviation = static_cast<float>(a.doubles[NoiseAt::deviation]);
  over_masked(context, a, [&](size_t begin, size_t end, uint64_t index) {
    context.kernels.noise_f32(x + begin, y + begin, end - begin, index, arguments);
  });
}

void check_draw(const Arguments& a, Requirements& r) { r.need(DrawnAt::y, a.size(DrawnAt::count)); }

PhiloxBlock draw(const Context& context, const Arguments& a, size_t index, uint32_t attempt) {
  const auto low = static_cast<uint32_t>(a.ints[DrawnAt::hash_low]);
  const auto high = static_cast<uint32_t>(a.ints[DrawnAt::hash_high]);
  return philox({static_cast<uint32_t>(index), low, high, static_cast<uint32_t>(Purpose::initializer) | attempt << 8},
                context.registers.seed);
}

// The hash is that of the parameter's name. y = low + (high − low)·u. The first
// element is that of the register batch_offset, so that a draw can be made in parts.
void run_uniform(const Context& context, const Arguments& a) {
  auto* y = a.view<float>(UniformAt::y);
  const size_t first = context.registers.batch_offset;
  const double low = a.doubles[UniformAt::low];
  const double width = a.doubles[UniformAt::high] - low;
  for (size_t i = 0; i < a.size(UniformAt::count); ++i) {
    const PhiloxBlock block = draw(context, a, first + i, 0);
    y[i] = static_cast<float>(low + width * unit_interval(block[0], block[1]));
  }
}

// Marsaglia's polar method (1964) with one normal an index: every rejected
// pair draws again with the next attempt.
void run_normal(const Context& context, const Arguments& a) {
  auto* y = a.view<float>(NormalAt::y);
  const size_t first = context.registers.batch_offset;
  for (size_t i = 0; i < a.size(NormalAt::count); ++i) {
    double normal = 0;
    for (uint32_t attempt = 0;; ++attempt) {
      const PhiloxBlock block = draw(context, a, first + i, attempt);
      const double u = 2 * unit_interval(block[0], block[1]) - 1;
      const double v = 2 * unit_interval(block[2], block[3]) - 1;
      const double s = u * u + v * v;
      if (s >= 1) continue;
      normal = u * exact_sqrt(-2 * log_double(s) / s);
      break;
    }
    y[i] = static_cast<float>(a.doubles[NormalAt::mean] + a.doubles[NormalAt::deviation] * normal);
  }
}

// Words that a permutation draws at once.
constexpr size_t kShuffleWords = 256;

// An unbiased number in [0, bound) from a word of 32 bits, and where that one is refused, of further attempts (Lemire,
// 2019). Most words are taken without the division that finds the least that may be.
size_t bounded(const Context& context, uint32_t word, uint32_t bound) {
  uint64_t product = uint64_t{word} * bound;
  if (static_cast<uint32_t>(product) < bound) {
    const uint32_t least = (0u - bound) % bound;
    for (uint32_t attempt = 1; static_cast<uint32_t>(product) < least; ++attempt) {
      const PhiloxBlock block = philox(
          {bound, context.registers.epoch, attempt, static_cast<uint32_t>(Purpose::shuffle)}, context.registers.seed);
      product = uint64_t{block[0]} * bound;
    }
  }
  return static_cast<size_t>(product >> 32);
}

// The order of the epoch in the registers: 0 … count−1, or a Fisher–Yates permutation of it
// whose place for the last of `bound` elements is bounded() by Philox of (bound, epoch, attempt).
void run_permutation(const Context& context, const Arguments& a) {
  auto* order = a.view<int32_t>(PermutationAt::order);
  const size_t count = a.size(PermutationAt::count);
  for (size_t i = 0; i < count; ++i) order[i] = static_cast<int32_t>(i);
  if (a.ints[PermutationAt::shuffled] == 0) return;
  uint32_t words[kShuffleWords];
  for (size_t last = count; last > 1;) {
    const size_t drawn = std::min(last - 1, kShuffleWords);
    const size_t first = last - drawn + 1;
    context.kernels.shuffle_words(words, drawn, static_cast<uint32_t>(first), context.registers.seed,
                                  context.registers.epoch);
    for (size_t i = drawn; i > 0; --i, --last) {
      std::swap(order[last - 1], order[bounded(context, words[i - 1], static_cast<uint32_t>(last))]);
    }
  }
}

}  // namespace

DropoutArguments mask_of_step(const Context& context, const Arguments& a, size_t site, double keep, double scale) {
  const Registers& registers = context.registers;
  DropoutArguments arguments{};
  arguments.seed = registers.seed;
  arguments.step = registers.step;
  arguments.site = static_cast<uint32_t>(a.ints[site]);
  const bool scheduled = a.size(DropoutAt::lane) != 0 && lanes_end(a) <= registers.lane_count;
  const double* lanes = scheduled ? registers.lanes + a.size(DropoutAt::lane) - 1 : nullptr;
  arguments.threshold = dropout_threshold(scheduled ? std::clamp(lanes[0], 0.0, 1.0) : keep);
  arguments.scale = static_cast<float>(scheduled ? lanes[1] : scale);
  return arguments;
}

constinit const Operation op_dropout{"dropout", DropoutAt::all, true, check_dropout, nullptr, run_dropout};
constinit const Operation op_noise{"noise", NoiseAt::all, true, check_noise, nullptr, run_noise};
constinit const Operation op_uniform{"uniform", UniformAt::all, false, check_draw, nullptr, run_uniform};
constinit const Operation op_normal{"normal", NormalAt::all, false, check_draw, nullptr, run_normal};
constinit const Operation op_permutation{"permutation", PermutationAt::all, false, check_draw,
                                         nullptr,       run_permutation};

}  // namespace carillon
