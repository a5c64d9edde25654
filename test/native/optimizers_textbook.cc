// Optimizers as their papers write them, in double, over many steps: the kernels with the scalars that a caller makes
// must follow. And the mistakes that are made with them, one test each.
#include <algorithm>
#include <initializer_list>

#include "samples.h"

namespace carillon::test {
namespace {

constexpr size_t kElements = 24;
constexpr int kSteps = 30;
constexpr double kRate = 0.01, kBeta1 = 0.9, kBeta2 = 0.999, kDelta = 1e-8;

// One element of the textbook: V, S and whatever third state.
struct Textbook {
  double theta, v = 0, s = 0, extra = 0;
};
using TextbookStep = void (*)(Textbook& x, double g, int t);
using Scalars = void (*)(UpdateArguments& u, int t);

void set(UpdateArguments& u, std::initializer_list<double> values) {
  size_t i = 0;
  for (double value : values) u.rule[i++] = static_cast<float>(value);
}

void moments(Textbook& x, double g) {
  x.v = kBeta1 * x.v + (1 - kBeta1) * g;
  x.s = kBeta2 * x.s + (1 - kBeta2) * g * g;
}
double correction(double beta, int t) { return 1 - std::pow(beta, t); }

// NAdam's schedule and its running product.
double nadam_mu(int t) { return kBeta1 * (1 - 0.5 * std::pow(0.96, t * 0.004)); }
double nadam_product(int t) {
  double product = 1;
  for (int i = 1; i <= t; ++i) product *= nadam_mu(i);
  return product;
}

// RAdam's length of the approximated average; rectified above 5.
double radam_rho(int t) {
  const double limit = 2 / (1 - kBeta2) - 1;
  return limit - 2 * t * std::pow(kBeta2, t) / correction(kBeta2, t);
}
double radam_rectification(int t) {
  const double limit = 2 / (1 - kBeta2) - 1, rho = radam_rho(t);
  return std::sqrt((rho - 4) * (rho - 2) * limit / ((limit - 4) * (limit - 2) * rho));
}

struct Course {
  Optimizer rule;
  const char* name;
  TextbookStep textbook;
  Scalars scalars;
  double rate = kRate;
};

constexpr Course courses[] = {
    {Optimizer::adam, "adam",
     [](Textbook& x, double g, int t) {
       moments(x, g);
       x.theta -= kRate * (x.v / correction(kBeta1, t)) / (std::sqrt(x.s / correction(kBeta2, t)) + kDelta);
     },
     [](UpdateArguments& u, int t) {
       set(u,
           {kBeta1, 1 - kBeta1, kBeta2, 1 - kBeta2, kDelta, 0, 1 / correction(kBeta1, t), 1 / correction(kBeta2, t)});
     }},
    // Keras: ε on the uncorrected root.
    {Optimizer::adam, "adam of Keras",
     [](Textbook& x, double g, int t) {
       moments(x, g);
       const double rate = kRate * std::sqrt(correction(kBeta2, t)) / correction(kBeta1, t);
       x.theta -= rate * x.v / (std::sqrt(x.s) + kDelta);
     },
     [](UpdateArguments& u, int t) {
       set(u, {kBeta1, 1 - kBeta1, kBeta2, 1 - kBeta2, kDelta, 0,
               std::sqrt(correction(kBeta2, t)) / correction(kBeta1, t), 1});
     }},
    {Optimizer::amsgrad, "amsgrad",
     [](Textbook& x, double g, int t) {
       moments(x, g);
       x.extra = std::max(x.extra, x.s);
       x.theta -= kRate * (x.v / correction(kBeta1, t)) / (std::sqrt(x.extra / correction(kBeta2, t)) + kDelta);
     },
     [](UpdateArguments& u, int t) {
       set(u,
           {kBeta1, 1 - kBeta1, kBeta2, 1 - kBeta2, kDelta, 0, 1 / correction(kBeta1, t), 1 / correction(kBeta2, t)});
     }},
    {Optimizer::nadam, "nadam",
     [](Textbook& x, double g, int t) {
       moments(x, g);
       const double ahead = nadam_mu(t + 1) * x.v / (1 - nadam_product(t + 1));
       const double now = (1 - nadam_mu(t)) * g / (1 - nadam_product(t));
       x.theta -= kRate * (ahead + now) / (std::sqrt(x.s / correction(kBeta2, t)) + kDelta);
     },
     [](UpdateArguments& u, int t) {
       set(u, {kBeta1, 1 - kBeta1, kBeta2, 1 - kBeta2, kDelta, 0, nadam_mu(t + 1) / (1 - nadam_product(t + 1)),
               (1 - nadam_mu(t)) / (1 - nadam_product(t)), 1 / correction(kBeta2, t)});
     }},
    // ε beside the uncorrected root, as PyTorch has it.
    {Optimizer::radam, "radam",
     [](Textbook& x, double g, int t) {
       moments(x, g);
       const double m = x.v / correction(kBeta1, t);
       const double adaptive = std::sqrt(correction(kBeta2, t)) / (std::sqrt(x.s) + kDelta);
       x.theta -= kRate * m * (radam_rho(t) > 5 ? radam_rectification(t) * adaptive : 1.0);
     },
     [](UpdateArguments& u, int t) {
       const bool rectified = radam_rho(t) > 5;
       const double k = rectified ? radam_rectification(t) * std::sqrt(correction(kBeta2, t)) : 1.0;
       set(u, {kBeta1, 1 - kBeta1, kBeta2, 1 - kBeta2, kDelta, 0, k / correction(kBeta1, t), rectified ? 1.0 : 0.0});
     }},
    {Optimizer::adamax, "adamax",
     [](Textbook& x, double g, int t) {
       x.v = kBeta1 * x.v + (1 - kBeta1) * g;
       x.s = std::max(kBeta2 * x.s, std::fabs(g));
       x.theta -= kRate / correction(kBeta1, t) * x.v / (x.s + kDelta);
     },
     [](UpdateArguments& u, int t) {
       set(u, {kBeta1, 1 - kBeta1, kBeta2, kDelta, 0, 1 / correction(kBeta1, t)});
     }},
    {Optimizer::adadelta, "adadelta",
     [](Textbook& x, double g, int) {
       x.s = 0.9 * x.s + 0.1 * g * g;
       const double delta = std::sqrt(x.v + 1e-6) / std::sqrt(x.s + 1e-6) * g;
       x.v = 0.9 * x.v + 0.1 * delta * delta;
       x.theta -= delta;
     },
     [](UpdateArguments& u, int) {
       set(u, {0.9, 0.1, 1e-6});
     },
     1},
    {Optimizer::adagrad, "adagrad",
     [](Textbook& x, double g, int) {
       x.s += g * g;
       x.theta -= kRate * g / std::sqrt(x.s + kDelta);
     },
     [](UpdateArguments& u, int) {
       set(u, {kDelta, 1});
     }},
    {Optimizer::rmsprop, "rmsprop",
     [](Textbook& x, double g, int) {
       x.s = 0.9 * x.s + 0.1 * g * g;
       x.theta -= kRate * g / std::sqrt(x.s + kDelta);
     },
     [](UpdateArguments& u, int) {
       set(u, {0.9, 0.1, kDelta, 1});
     }},
    {Optimizer::lion, "lion",
     [](Textbook& x, double g, int) {
       const double c = kBeta1 * x.v + (1 - kBeta1) * g;
       x.theta -= kRate * (c > 0 ? 1 : c < 0 ? -1 : 0);
       x.v = 0.99 * x.v + 0.01 * g;
     },
     [](UpdateArguments& u, int) {
       set(u, {kBeta1, 1 - kBeta1, 0.99, 0.01});
     }},
};

UpdateArguments neutral(double rate) {
  UpdateArguments u{};
  u.rate = static_cast<float>(rate);
  u.gradient_scale = 1;
  u.clip_value = std::numeric_limits<float>::infinity();
  u.decay = 0;
  return u;
}

// Parameters and states of one rule, to be stepped on a table.
struct Run {
  Optimizer rule;
  float theta[kElements] = {}, state[kMaxStates][kElements] = {};
  void step(const KernelTable& table, const float* gradient, const UpdateArguments& u) {
    const UpdateTask task{theta, gradient, {state[0], state[1], state[2]}, nullptr, kElements};
    table.update[static_cast<size_t>(rule)](task, u);
  }
};

}  // namespace

// A step moves θ by η·d. Its relative error counts 2 roundings a step for each state (at most 60 each after 30 steps, a
// root halves them) and fewer than 20 others, so 128 of them; d is taken as large as the largest move. Then θ itself is
// rounded each step, |θ| < 2.
TEST(optimizers_follow_the_textbook) {
  for (const KernelTable* table : supported_tables()) {
    for (const Course& course : courses) {
      Random random{80};
      Run run{course.rule};
      Textbook textbook[kElements];
      double largest = 0;
      for (size_t i = 0; i < kElements; ++i) textbook[i].theta = static_cast<double>(run.theta[i] = random.uniform());
      for (int t = 1; t <= kSteps; ++t) {
        float gradient[kElements];
        for (size_t i = 0; i < kElements; ++i) {
          gradient[i] = std::ldexp(random.uniform(), -static_cast<int>(i % 6));
          const double before = textbook[i].theta;
          course.textbook(textbook[i], static_cast<double>(gradient[i]), t);
          largest = std::max(largest, std::fabs(textbook[i].theta - before));
        }
        UpdateArguments u = neutral(course.rate);
        course.scalars(u, t);
        run.step(*table, gradient, u);
        const double bound = t * (128 * largest + 2) * kRounding;
        for (size_t i = 0; i < kElements; ++i) {
          CHECK_AT(std::fabs(static_cast<double>(run.theta[i]) - textbook[i].theta) <= bound,
                   "%s on %s: step %d, element %zu is %.9g, expected %.9g", course.name, table->name, t, i,
                   static_cast<double>(run.theta[i]), textbook[i].theta);
        }
      }
    }
  }
}

// A constant gradient makes s − m² negative by rounding once the moments have settled, and none makes it 0 / 0 unless ε
// counts.
TEST(centered_rmsprop_survives_constant_gradients) {
  for (const KernelTable* table : supported_tables()) {
    for (Optimizer rule : {Optimizer::rmsprop_centered, Optimizer::rmsprop_centered_momentum}) {
      for (double inside : {0.0, 1.0}) {
        Run run{rule};
        float gradient[kElements];
        for (size_t i = 0; i < kElements; ++i) gradient[i] = static_cast<float>(i) * 0.371f;
        UpdateArguments u = neutral(1e-6);
        set(u, {0.9, 0.1, 1e-8, inside, 0.9, 0});
        for (int t = 0; t < 1000; ++t) {
          run.step(*table, gradient, u);
          for (float theta : run.theta) CHECK(std::isfinite(theta));
        }
        CHECK(same(run.theta[0], 0.0f));
        for (size_t i = 1; i < kElements; ++i) CHECK(run.theta[i] < 0);
      }
    }
  }
}

// A parameter that never has a gradient stays where it is, whatever the rule.
TEST(no_gradient_no_step) {
  for (const KernelTable* table : supported_tables()) {
    for (const Course& course : courses) {
      Run run{course.rule};
      for (float& theta : run.theta) theta = 0.75f;
      const float gradient[kElements] = {};
      for (int t = 1; t <= 10; ++t) {
        UpdateArguments u = neutral(course.rate);
        course.scalars(u, t);
        if (course.rule == Optimizer::adamax) u.rule[4] = static_cast<float>(t % 2);
        run.step(*table, gradient, u);
      }
      for (float theta : run.theta) CHECK_AT(same(theta, 0.75f), "%s on %s", course.name, table->name);
    }
  }
}

// With its bias corrected Adam's first step is η for any gradient far above ε; uncorrected it is 3.2·η, with
// √(1 − β₁ᵗ) for a correction 0.32·η.
TEST(adam_corrects_its_bias) {
  for (const KernelTable* table : supported_tables()) {
    for (Optimizer rule : {Optimizer::adam, Optimizer::amsgrad}) {
      Run run{rule};
      float gradient[kElements];
      for (size_t i = 0; i < kElements; ++i)
        gradient[i] = std::ldexp(i % 2 == 0 ? 1.0f : -1.0f, -static_cast<int>(i) / 2);
      UpdateArguments u = neutral(kRate);
      set(u, {kBeta1, 1 - kBeta1, kBeta2, 1 - kBeta2, kDelta, 0, 1 / correction(kBeta1, 1), 1 / correction(kBeta2, 1)});
      run.step(*table, gradient, u);
      // ε / |g| is at most 2^-26.5·2^11.5, the rest a dozen roundings.
      for (size_t i = 0; i < kElements; ++i) {
        const double expected = (i % 2 == 0 ? -1 : 1) * kRate;
        CHECK(std::fabs(static_cast<double>(run.theta[i]) - expected) <= kRate * 0x1p-14);
      }
    }
  }
}

// The first delta of Adadelta divides by the accumulator that holds this gradient: √ε·g / √(0.1·g² + ε), 3.2·√ε for
// ordinary g. The old accumulator would give g itself.
TEST(adadelta_divides_by_the_new_accumulator) {
  for (const KernelTable* table : supported_tables()) {
    Run run{Optimizer::adadelta};
    float gradient[kElements];
    for (float& g : gradient) g = 1;
    UpdateArguments u = neutral(1);
    set(u, {0.9, 0.1, 1e-6});
    run.step(*table, gradient, u);
    const double expected = -1e-3 / std::sqrt(0.1 + 1e-6);
    for (float theta : run.theta) {
      CHECK(std::fabs(static_cast<double>(theta) - expected) <= 12 * kRounding * std::fabs(expected));
    }
  }
}

}  // namespace carillon::test
