// Every line of optimizers.def: tables agree, the formulas written out in float give the same bits, and in double with
// a running error bound they lie as near as roundings allow. New rules add an entry to `cases`.
#include "samples.h"

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

// Arithmetic over float with one rounding an operation, to read the formulas as the kernel makes them.
struct Plain {
  float x;
};
Plain operator+(Plain a, Plain b) { return {a.x + b.x}; }
Plain operator*(Plain a, Plain b) { return {a.x * b.x}; }
Plain operator/(Plain a, Plain b) { return {a.x / b.x}; }
Plain root(Plain a) { return {std::sqrt(a.x)}; }
Plain fused(Plain a, Plain b, Plain c) { return {std::fma(a.x, b.x, c.x)}; }
Plain flushed(Plain a) { return {std::fabs(a.x) < 0x1p-126f ? 0.0f : a.x}; }
Bounded fused(Bounded a, Bounded b, Bounded c) {
  return rounded(a.value * b.value + c.value,
                 std::fabs(a.value) * b.error + std::fabs(b.value) * a.error + a.error * b.error + c.error);
}
Bounded flushed(Bounded a) { return {a.value, a.error + 0x1p-126}; }

template <class T>
T number(float x);
template <>
Plain number<Plain>(float x) {
  return {x};
}
template <>
Bounded number<Bounded>(float x) {
  return exactly(static_cast<double>(x));
}

// θ after the step; states replaced.
template <class T>
T step(Optimizer rule, T theta, T gradient, T* state, const UpdateArguments& u) {
  const auto r = [&u](int i) { return number<T>(u.rule[i]); };
  T g = gradient * number<T>(u.gradient_scale);
  if (u.l2 != 0) g = fused(number<T>(u.l2), theta, g);
  const T back = number<T>(-u.rate);
  switch (rule) {
    case Optimizer::sgd:
      return fused(back, g, theta);
    case Optimizer::momentum: {
      const T velocity = u.rule[3] != 0 ? g : fused(r(0), state[0], r(1) * g);
      state[0] = flushed(velocity);
      return fused(back, u.rule[2] != 0 ? fused(r(0), velocity, g) : velocity, theta);
    }
    case Optimizer::adam: {
      const T first = fused(r(0), state[0], r(1) * g);
      const T second = fused(r(2), state[1], r(3) * g * g);
      state[0] = flushed(first);
      state[1] = flushed(second);
      const T m = first * r(4), v = second * r(5);
      const T denominator = u.rule[7] != 0 ? root(v + r(6)) : root(v) + r(6);
      return fused(back, m / denominator, theta);
    }
    case Optimizer::count:
      break;
  }
  std::abort();
}

std::vector<UpdateArguments> settings(Optimizer rule) {
  std::vector<UpdateArguments> all;
  for (float l2 : {0.0f, 0.01f}) {
    UpdateArguments u{0.05f, 0.5f, l2, {}};
    switch (rule) {
      case Optimizer::momentum:
        for (int flags = 0; flags < 4; ++flags) {
          u.rule[0] = 0.9f;
          u.rule[1] = flags == 0 ? 0.1f : 1.0f;
          u.rule[2] = static_cast<float>(flags & 1);
          u.rule[3] = static_cast<float>(flags >> 1);
          all.push_back(u);
        }
        break;
      case Optimizer::adam:
        for (float inside : {0.0f, 1.0f}) {
          const float values[] = {0.9f, 0.1f, 0.999f, 0.001f, 1 / 0.271f, 1 / 0.002997001f, 1e-8f, inside};
          for (int i = 0; i < 8; ++i) u.rule[i] = values[i];
          all.push_back(u);
        }
        break;
      default:
        all.push_back(u);
    }
  }
  return all;
}

struct Slabs {
  std::vector<Guarded> arrays;  // parameters, gradients, states
  std::vector<float*> states;
  Slabs(size_t count, size_t state_count, Random& random) {
    for (size_t i = 0; i < 2 + state_count; ++i) arrays.emplace_back(count, random.below(4));
    for (size_t i = 0; i < state_count; ++i) states.push_back(arrays[2 + i].data());
    for (size_t s = 0; s < arrays.size(); ++s) {
      for (size_t i = 0; i < count; ++i) {
        const float x = std::ldexp(random.uniform(), -static_cast<int>(random.below(8)));
        arrays[s][i] = s == 3 ? x * x : x;  // a second moment is not negative
      }
    }
  }
  Slabs(const Slabs& other) : arrays(other.arrays) {
    for (size_t s = 2; s < arrays.size(); ++s) states.push_back(arrays[s].data());
  }
};

}  // namespace

TEST(optimizers_follow_their_formulas) {
  Random random{50};
  std::vector<size_t> lengths = sweep_lengths();
  lengths.push_back(kUpdateBlock);
  for (size_t rule = 0; rule < kRules; ++rule) {
    for (const UpdateArguments& u : settings(static_cast<Optimizer>(rule))) {
      for (size_t count : lengths) {
        const Slabs before(count, state_counts[rule], random);
        for (const KernelTable* table : supported_tables()) {
          Slabs after(before);
          Slabs old(before);
          const float penalty =
              table->update[rule](after.arrays[0].data(), after.arrays[1].data(), after.states.data(), count, u);
          const float expected = u.l2 == 0 ? 0.0f : scalar_table().sum_squares_f32(old.arrays[0].data(), count);
          CHECK_AT(same(penalty, expected), "%s on %s: penalty of %zu", names[rule], table->name, count);
          for (Guarded& array : after.arrays) CHECK(array.intact());
          for (size_t i = 0; i < count; ++i) {
            Plain plain[kMaxStates + 1];
            Bounded bounded[kMaxStates + 1];
            for (size_t s = 0; s < state_counts[rule]; ++s) {
              plain[s] = {old.arrays[2 + s][i]};
              bounded[s] = exactly(static_cast<double>(old.arrays[2 + s][i]));
            }
            const float theta = old.arrays[0][i], g = old.arrays[1][i];
            const Plain exact = step(static_cast<Optimizer>(rule), Plain{theta}, Plain{g}, plain, u);
            const Bounded near = step(static_cast<Optimizer>(rule), exactly(static_cast<double>(theta)),
                                      exactly(static_cast<double>(g)), bounded, u);
            CHECK_AT(same(after.arrays[0][i], exact.x), "%s on %s: parameter %zu of %zu is %a, expected %a",
                     names[rule], table->name, i, count, static_cast<double>(after.arrays[0][i]),
                     static_cast<double>(exact.x));
            CHECK_AT(within(after.arrays[0][i], near), "%s on %s: parameter %zu is far from float64", names[rule],
                     table->name, i);
            for (size_t s = 0; s < state_counts[rule]; ++s) {
              CHECK(same(after.arrays[2 + s][i], plain[s].x));
              CHECK(within(after.arrays[2 + s][i], bounded[s]));
            }
          }
        }
      }
    }
  }
}

// A unit that has died: its states reach +0 instead of lingering as denormals, on every table.
TEST(optimizer_states_are_flushed) {
  for (const KernelTable* table : supported_tables()) {
    for (size_t rule = 0; rule < kRules; ++rule) {
      for (const UpdateArguments& u : settings(static_cast<Optimizer>(rule))) {
        float parameters[20] = {}, gradients[20] = {}, states[kMaxStates][20];
        float* pointers[kMaxStates];
        for (size_t s = 0; s < kMaxStates; ++s) {
          pointers[s] = states[s];
          for (float& value : states[s]) value = s == 0 ? -0x1p-126f : 0x1p-126f;
        }
        table->update[rule](parameters, gradients, pointers, 20, u);
        for (size_t s = 0; s < state_counts[rule]; ++s) {
          for (float value : states[s]) CHECK_AT(same(value, 0.0f), "%s on %s", names[rule], table->name);
        }
      }
    }
  }
}

// NaN in one element stays in that element.
TEST(optimizer_nan_stays_in_its_place) {
  Random random{51};
  for (const KernelTable* table : supported_tables()) {
    for (size_t rule = 0; rule < kRules; ++rule) {
      const UpdateArguments u = settings(static_cast<Optimizer>(rule)).front();
      Slabs slabs(37, state_counts[rule], random);
      slabs.arrays[1][21] = std::numeric_limits<float>::quiet_NaN();
      table->update[rule](slabs.arrays[0].data(), slabs.arrays[1].data(), slabs.states.data(), 37, u);
      for (size_t i = 0; i < 37; ++i) CHECK(std::isnan(slabs.arrays[0][i]) == (i == 21));
    }
  }
}

}  // namespace carillon::test
