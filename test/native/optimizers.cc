// Every line of optimizers.def: the formulas written out in float give the same bits on every table, and in double with
// a running error bound they lie as near as roundings allow. A new rule adds itself to optimizer_formulas.h and to
// constants_of.
#include <algorithm>

#include "optimizer_formulas.h"

namespace carillon::test {
namespace {

constexpr size_t kRules = static_cast<size_t>(Optimizer::count);
const char* const names[] = {
#define X(name, states) #name,
#include "kernels/optimizers.def"
#undef X
};
const size_t state_counts[] = {
#define X(name, states) states,
#include "kernels/optimizers.def"
#undef X
};

// Values of UpdateArguments::rule worth a run: every branch of the rule.
std::vector<std::vector<float>> constants_of(Optimizer rule) {
  switch (rule) {
    case Optimizer::momentum:  // β, 1 − τ, Nesterov, accumulating, rate inside, first
      return {{0.9f, 0.1f, 0, 0, 0, 0}, {0.9f, 1, 1, 1, 0, 0}, {0.9f, 1, 0, 1, 0, 1}, {0.9f, 1, 1, 1, 0, 1},
              {0.9f, 1, 0, 1, 1, 0},    {0.9f, 1, 1, 1, 1, 0}, {0.9f, 1, 1, 1, 1, 1}};
    case Optimizer::adagrad:  // ε, inside
      return {{1e-8f, 1}, {1e-10f, 0}};
    case Optimizer::rmsprop:  // ρ, 1 − ρ, ε, inside
    case Optimizer::rmsprop_centered:
      return {{0.9f, 0.1f, 1e-8f, 1}, {0.99f, 0.01f, 1e-8f, 0}};
    case Optimizer::rmsprop_momentum:  // μ, rate inside
    case Optimizer::rmsprop_centered_momentum:
      return {{0.9f, 0.1f, 1e-7f, 1, 0.9f, 1}, {0.99f, 0.01f, 1e-8f, 0, 0.8f, 0}};
    case Optimizer::adam:  // β₁, 1 − β₁, β₂, 1 − β₂, ε, inside, c₁, c₂
    case Optimizer::amsgrad:
      return {{0.9f, 0.1f, 0.999f, 0.001f, 1e-8f, 0, 1 / 0.271f, 1 / 0.002997001f},
              {0.9f, 0.1f, 0.999f, 0.001f, 1e-8f, 1, 1 / 0.271f, 1 / 0.002997001f}};
    case Optimizer::nadam:  // a, b, c₂
      return {{0.9f, 0.1f, 0.999f, 0.001f, 1e-8f, 0, 1.7f, 0.8f, 1 / 0.002997001f},
              {0.9f, 0.1f, 0.999f, 0.001f, 1e-8f, 1, 1.7f, 0.8f, 1 / 0.002997001f}};
    case Optimizer::radam:  // k, adaptive
      return {{0.9f, 0.1f, 0.999f, 0.001f, 1e-8f, 0, 0.05f, 1},
              {0.9f, 0.1f, 0.999f, 0.001f, 1e-8f, 1, 0.05f, 1},
              {0.9f, 0.1f, 0.999f, 0.001f, 1e-8f, 0, 3.69f, 0}};
    case Optimizer::adamax:  // β₁, 1 − β₁, β₂, ε, inside the maximum, c₁
      return {{0.9f, 0.1f, 0.999f, 1e-8f, 1, 1 / 0.271f}, {0.9f, 0.1f, 0.999f, 1e-8f, 0, 1 / 0.271f}};
    case Optimizer::adadelta:  // ρ, 1 − ρ, ε
      return {{0.9f, 0.1f, 1e-6f}};
    case Optimizer::lion:  // β₁, 1 − β₁, β₂, 1 − β₂
      return {{0.9f, 0.1f, 0.99f, 0.01f}};
    case Optimizer::sgd:
    case Optimizer::count:
      break;
  }
  return {{}};
}

struct Setting {
  UpdateArguments u;
  bool averaged;
  bool common;  // what most training uses: runs over all lengths
};

UpdateArguments neutral() {
  UpdateArguments u{};
  u.rate = 0.05f;
  u.gradient_scale = 0.5f;
  u.clip_value = std::numeric_limits<float>::infinity();
  u.decay = 0;
  u.average_keep = 0.99f;
  u.average_take = 0.01f;
  return u;
}

// Every part of the order in table.h alone, then all together in either metric.
std::vector<Setting> surroundings() {
  std::vector<Setting> all(10, Setting{neutral(), false, false});
  all[0].common = all[1].common = true;
  all[1].u.l2 = 0.01f;
  all[1].u.squares = true;
  all[2].u.clip_value = 0.1f;
  all[3].u.l1 = 0.02f;
  all[3].u.absolutes = true;
  all[4].u.decay = 0.001f;
  all[5].u.shrink = 0.01f;
  all[6].u.shrink = 0.01f;
  all[6].u.metric = true;
  all[7].averaged = true;
  for (size_t i : {8u, 9u}) {
    UpdateArguments& u = all[i].u;
    u.clip_value = 0.1f;
    u.l2 = 0.01f;
    u.l1 = 0.02f;
    u.decay = 0.001f;
    u.shrink = 0.003f;
    u.metric = i == 9;
    u.squares = u.absolutes = true;
    all[i].averaged = true;
  }
  return all;
}

std::vector<Setting> settings(size_t rule) {
  std::vector<Setting> all;
  for (const std::vector<float>& constants : constants_of(static_cast<Optimizer>(rule))) {
    for (Setting setting : surroundings()) {
      for (size_t i = 0; i < constants.size(); ++i) setting.u.rule[i] = constants[i];
      all.push_back(setting);
    }
  }
  return all;
}

// Parameters, gradients, average, states.
struct Slabs {
  std::vector<Guarded> arrays;
  std::vector<float*> states;
  static constexpr size_t kFirst = 3;
  Slabs(size_t count, size_t state_count, Random& random) {
    for (size_t i = 0; i < kFirst + state_count; ++i) arrays.emplace_back(count, random.below(4));
    for (size_t s = 0; s < arrays.size(); ++s) {
      for (size_t i = 0; i < count; ++i) {
        const float x = random.below(16) == 0 ? 0.0f : std::ldexp(random.uniform(), -static_cast<int>(random.below(8)));
        // Whatever a rule takes a root of is not negative.
        arrays[s][i] = s >= kFirst ? x * x : s == 0 && random.below(16) == 0 ? -0.0f : x;
      }
    }
    point();
  }
  Slabs(const Slabs& other) : arrays(other.arrays) { point(); }
  void point() {
    for (size_t s = kFirst; s < arrays.size(); ++s) states.push_back(arrays[s].data());
  }
  UpdateSums update(const KernelTable& table, size_t rule, size_t count, const Setting& setting) {
    UpdateTask task{arrays[0].data(), arrays[1].data(), {}, setting.averaged ? arrays[2].data() : nullptr, count};
    std::copy_n(states.begin(), std::min(states.size(), kMaxStates), task.states);
    return table.update[rule](task, setting.u);
  }
};

template <class T>
struct Element {
  T theta, average, state[kMaxStates + 1];
};

// Element i after the step, by the formulas.
template <class T>
Element<T> expected(Slabs& old, size_t i, size_t rule, const Setting& setting) {
  Element<T> e{};
  for (size_t s = 0; s < state_counts[rule]; ++s) e.state[s] = number<T>(old.arrays[Slabs::kFirst + s][i]);
  e.average = number<T>(old.arrays[2][i]);
  e.theta = step(static_cast<Optimizer>(rule), number<T>(old.arrays[0][i]), number<T>(old.arrays[1][i]), e.state,
                 setting.averaged ? &e.average : nullptr, setting.u);
  return e;
}

void check_element(Slabs& after, Slabs& old, size_t i, size_t rule, const Setting& setting, const char* table) {
  const Element<Plain> exact = expected<Plain>(old, i, rule, setting);
  const Element<Bounded> near = expected<Bounded>(old, i, rule, setting);
  CHECK_AT(same(after.arrays[0][i], exact.theta.x), "%s on %s: parameter %zu is %a, expected %a", names[rule], table, i,
           static_cast<double>(after.arrays[0][i]), static_cast<double>(exact.theta.x));
  CHECK_AT(within(after.arrays[0][i], near.theta), "%s on %s: parameter %zu is far from float64", names[rule], table,
           i);
  CHECK(same(after.arrays[1][i], old.arrays[1][i]));
  CHECK(same(after.arrays[2][i], exact.average.x));
  CHECK(within(after.arrays[2][i], near.average));
  for (size_t s = 0; s < state_counts[rule]; ++s) {
    CHECK_AT(same(after.arrays[Slabs::kFirst + s][i], exact.state[s].x), "%s on %s: state %zu", names[rule], table, s);
    CHECK(within(after.arrays[Slabs::kFirst + s][i], near.state[s]));
  }
}

}  // namespace

TEST(optimizers_follow_their_formulas) {
  Random random{50};
  std::vector<size_t> all = sweep_lengths(), few = {1, 19, 49};
  all.push_back(kUpdateBlock);
  few.push_back(1100);
  std::vector<float> magnitudes(kUpdateBlock);
  for (size_t rule = 0; rule < kRules; ++rule) {
    for (const Setting& setting : settings(rule)) {
      for (size_t count : setting.common ? all : few) {
        Slabs old(count, state_counts[rule], random);
        const float squares = scalar_table().sum_squares_f32(old.arrays[0].data(), count);
        for (size_t i = 0; i < count; ++i) magnitudes[i] = std::fabs(old.arrays[0][i]);
        const float absolutes = scalar_table().sum_f32(magnitudes.data(), count);
        for (const KernelTable* table : supported_tables()) {
          Slabs after(old);
          const UpdateSums sums = after.update(*table, rule, count, setting);
          CHECK_AT(same(sums.squares, setting.u.squares ? squares : 0.0f), "%s on %s: squares of %zu", names[rule],
                   table->name, count);
          CHECK_AT(same(sums.absolutes, setting.u.absolutes ? absolutes : 0.0f), "%s on %s: absolutes of %zu",
                   names[rule], table->name, count);
          for (Guarded& array : after.arrays) CHECK(array.intact());
          for (size_t i = 0; i < count; ++i) check_element(after, old, i, rule, setting, table->name);
        }
      }
    }
  }
}

// Rows of a table, in one call, as they come out one by one; the others stay as they are.
TEST(optimizer_rows_are_updates_of_their_own) {
  Random random{25};
  const std::vector<int32_t> rows{1, 2, 5, 9};
  constexpr size_t kTableRows = 11;
  for (const KernelTable* table : supported_tables()) {
    for (size_t rule = 0; rule < kRules; ++rule) {
      for (Setting setting : settings(rule)) {
        setting.u.squares = setting.u.absolutes = false;
        for (const size_t columns : {1, 16, 37, 64, 130}) {
          Slabs one(kTableRows * columns, state_counts[rule], random);
          Slabs other = one;
          const auto task = [&](Slabs& slabs, size_t first) {
            UpdateTask made{slabs.arrays[0].data(),
                            slabs.arrays[1].data() + first * columns,
                            {},
                            setting.averaged ? slabs.arrays[2].data() : nullptr,
                            columns};
            std::copy_n(slabs.states.begin(), std::min(slabs.states.size(), kMaxStates), made.states);
            made.rows = rows.data() + first;
            return made;
          };
          UpdateTask all = task(one, 0);
          all.row_count = all.known = rows.size();
          table->update[rule](all, setting.u);
          for (size_t i = 0; i < rows.size(); ++i) {
            UpdateTask single = task(other, i);
            const size_t offset = static_cast<size_t>(rows[i]) * columns;
            single.rows = nullptr;
            single.parameters += offset;
            if (single.average != nullptr) single.average += offset;
            for (float*& state : single.states) state = state == nullptr ? nullptr : state + offset;
            table->update[rule](single, setting.u);
          }
          for (size_t s = 0; s < one.arrays.size(); ++s) {
            for (size_t i = 0; i < kTableRows * columns; ++i) {
              CHECK_AT(same(one.arrays[s][i], other.arrays[s][i]), "%s on %s: array %zu, element %zu", names[rule],
                       table->name, s, i);
            }
          }
        }
      }
    }
  }
}

// A unit that has died: its states and its average reach +0 instead of lingering as denormals, on every table.
TEST(optimizer_states_are_flushed) {
  for (const KernelTable* table : supported_tables()) {
    for (size_t rule = 0; rule < kRules; ++rule) {
      for (Setting setting : settings(rule)) {
        // Sums and maxima do not decay: they are given what only a flush removes. A norm with ε inside stays at ε.
        const auto is = [rule](Optimizer other) { return rule == static_cast<size_t>(other); };
        const size_t kept = is(Optimizer::adagrad) ? 0 : is(Optimizer::amsgrad) ? 2 : kMaxStates;
        const size_t skipped = is(Optimizer::adamax) && setting.u.rule[4] != 0 ? 1 : kMaxStates;
        float parameters[20] = {}, gradients[20] = {}, average[20], states[kMaxStates][20];
        for (size_t s = 0; s < kMaxStates; ++s) {
          for (float& value : states[s]) value = s == kept ? 0x1p-127f : 0x1p-126f;
        }
        for (float& value : average) value = -0x1p-126f;
        if (is(Optimizer::momentum)) {
          for (float& value : states[0]) value = -0x1p-126f;
        }
        setting.u.rate = 0;
        float* const averages = setting.averaged ? average : nullptr;
        table->update[rule]({parameters, gradients, {states[0], states[1], states[2]}, averages, 20}, setting.u);
        for (size_t s = 0; s < state_counts[rule]; ++s) {
          if (s == skipped) continue;
          for (float value : states[s]) CHECK_AT(same(value, 0.0f), "%s on %s: state %zu", names[rule], table->name, s);
        }
        if (!setting.averaged) continue;
        for (float value : average) CHECK_AT(same(value, 0.0f), "%s on %s: average", names[rule], table->name);
      }
    }
  }
}

// NaN in one element stays in that element, also through clipping, shrinking and the average.
TEST(optimizer_nan_stays_in_its_place) {
  Random random{51};
  for (const KernelTable* table : supported_tables()) {
    for (size_t rule = 0; rule < kRules; ++rule) {
      for (const Setting& setting : settings(rule)) {
        Slabs slabs(37, state_counts[rule], random);
        slabs.arrays[1][21] = std::numeric_limits<float>::quiet_NaN();
        slabs.update(*table, rule, 37, setting);
        for (size_t i = 0; i < 37; ++i) {
          CHECK_AT(std::isnan(slabs.arrays[0][i]) == (i == 21), "%s on %s", names[rule], table->name);
          if (setting.averaged) CHECK(std::isnan(slabs.arrays[2][i]) == (i == 21));
        }
      }
    }
  }
}

// AdaDelta with ρ = 0, ε = 0 and a gradient of 1 moves θ by √D: by −rate·(√D / √1)·1.
void check_roots(const KernelTable& table, std::vector<float> x) {
  const std::vector<float> given = x;
  std::vector<float> theta(x.size()), ones(x.size(), 1.0f), second(x.size());
  UpdateArguments u = neutral();
  u.rate = -1;
  u.gradient_scale = 1;
  u.rule[1] = 1;
  const UpdateTask task{theta.data(), ones.data(), {second.data(), x.data()}, nullptr, x.size()};
  table.update[static_cast<size_t>(Optimizer::adadelta)](task, u);
  for (size_t i = 0; i < x.size(); ++i) {
    const float root = std::sqrt(given[i] + 0.0f);
    CHECK_AT(same(theta[i], root), "%s: the root of %a", table.name, static_cast<double>(given[i]));
  }
}

TEST(optimizers_take_exact_roots) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  constexpr uint32_t batch = 1 << 16;
  for (const KernelTable* table : supported_tables()) {
    // All of [1, 4), whose roots are those of all other floats but for powers of 2; of tables that have the instruction
    // alone a sample.
    const uint32_t stride = table->width == 16 && slowness() <= 1 ? 1 : 1009;
    for (uint32_t pattern = bits(1.0f); pattern < bits(4.0f);) {
      std::vector<float> x;
      for (; pattern < bits(4.0f) && x.size() < batch; pattern += stride) x.push_back(std::bit_cast<float>(pattern));
      check_roots(*table, std::move(x));
    }
    Random random{11};
    std::vector<float> x;
    for (int exponent = -149; exponent < 128; ++exponent) {
      for (int i = 0; i < 64; ++i) x.push_back(std::ldexp(1 + std::fabs(random.uniform()) / 2, exponent));
    }
    check_roots(*table, x);
    for (const float special : {0.0f, -0.0f, infinity, -1.0f, std::nanf(""), 0x1p-78f, 0x1p-149f}) {
      for (size_t place = 0; place < 40; ++place) {
        std::vector<float> some(41, 2.0f);
        some[place] = special;
        check_roots(*table, some);
      }
    }
  }
}

}  // namespace carillon::test
