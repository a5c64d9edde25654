// Classes that are drawn as candidates beside the true ones, and what their scores are corrected by. Draw s of a step
// is a function of (seed, step, site, s); all examples of a batch, and of its parts, have the same ones.
#include <algorithm>

#include "math_double.h"
#include "operation.h"
#include "philox.h"

namespace carillon {
namespace {

// expected: ln of how often a class is drawn in a step on average; of each candidate, and of the label of each row.
// keep: 0 where a candidate is the label of the row, which would count twice, else 1.
struct CandidatesAt {
  static constexpr Operands all{"labels:i ids:I expected:F label_expected:F keep:F",
                                "rows:d samples:i classes:i log_uniform:b site:i", ""};
  static constexpr size_t labels = all.view("labels"), ids = all.view("ids"), expected = all.view("expected"),
                          label_expected = all.view("label_expected"), keep = all.view("keep"),
                          rows = all.integer("rows"), samples = all.integer("samples"),
                          classes = all.integer("classes"), log_uniform = all.integer("log_uniform"),
                          site = all.integer("site");
};

void check_candidates(const Arguments& a, Requirements& r) {
  using At = CandidatesAt;
  if (a.ints[At::samples] < 1 || a.ints[At::classes] < 2) return r.fail("no candidates");
  r.need(At::labels, a.size(At::rows));
  r.need(At::label_expected, a.size(At::rows));
  r.need(At::ids, a.size(At::samples));
  r.need(At::expected, a.size(At::samples));
  r.need(At::keep, a.size(At::rows), a.size(At::samples));
}

// Classes in the order of how frequent they are: class c has the chance (ln(c + 2) − ln(c + 1))/ln(classes + 1).
class Chances {
 public:
  Chances(size_t classes, bool log_uniform)
      : classes_(classes), whole_(log_uniform ? log_double(static_cast<double>(classes) + 1) : 0) {}

  double of(size_t c) const {
    if (whole_ == 0) return 1.0 / static_cast<double>(classes_);
    return (log_double(static_cast<double>(c) + 2) - log_double(static_cast<double>(c) + 1)) / whole_;
  }

  // The class c with ln(c + 1) ≤ u·ln(classes + 1) < ln(c + 2), or ⌊u·classes⌋.
  size_t at(double u) const {
    if (whole_ == 0) return std::min(static_cast<size_t>(u * static_cast<double>(classes_)), classes_ - 1);
    const double wanted = u * whole_;
    size_t low = 0, high = classes_;
    while (high - low > 1) {
      const size_t middle = (low + high) / 2;
      if (log_double(static_cast<double>(middle) + 1) <= wanted) {
        low = middle;
      } else {
        high = middle;
      }
    }
    return low;
  }

 private:
  size_t classes_;
  double whole_;
};

void run_candidates(const Context& context, const Arguments& a) {
  using At = CandidatesAt;
  const size_t rows = a.size(At::rows), samples = a.size(At::samples), classes = a.size(At::classes);
  const Chances chances(classes, a.ints[At::log_uniform] != 0);
  const auto* labels = a.view<const int32_t>(At::labels);
  for (size_t row = 0; row < rows; ++row) {
    if (labels[row] >= 0 && static_cast<size_t>(labels[row]) < classes) continue;
    if (context.fault.what == nullptr) context.fault = {"label", row, labels[row], static_cast<int64_t>(classes)};
    return;
  }
  auto* ids = a.view<int32_t>(At::ids);
  const auto site = static_cast<uint32_t>(a.ints[At::site]);
  const auto expected = [&](size_t c) {
    return static_cast<float>(log_double(static_cast<double>(samples) * chances.of(c)));
  };
  for (size_t s = 0; s < samples; ++s) {
    const PhiloxBlock block =
        philox({static_cast<uint32_t>(s), context.registers.step, site, static_cast<uint32_t>(Purpose::candidates)},
               context.registers.seed);
    const size_t drawn = chances.at(unit_interval(block[0], block[1]));
    ids[s] = static_cast<int32_t>(drawn);
    a.view<float>(At::expected)[s] = expected(drawn);
  }
  auto* label_expected = a.view<float>(At::label_expected);
  auto* keep = a.view<float>(At::keep);
  over_rows(context, rows, samples, [&](size_t begin, size_t end) {
    for (size_t row = begin; row < end; ++row) {
      label_expected[row] = expected(static_cast<size_t>(labels[row]));
      for (size_t s = 0; s < samples; ++s) keep[row * samples + s] = ids[s] == labels[row] ? 0.0f : 1.0f;
    }
  });
}

}  // namespace

constinit const Operation op_candidates{"candidates",     CandidatesAt::all, false,
                                        check_candidates, nullptr,           run_candidates};

}  // namespace carillon
