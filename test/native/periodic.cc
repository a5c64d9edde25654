// Periodic embeddings and their gradients, against the kernels of the operations that they consist of.
#include <cmath>

#include "samples.h"

namespace carillon::test {
namespace {

std::vector<float> noise(size_t count, Random& random) {
  std::vector<float> x(count);
  for (float& value : x) value = 3 * random.uniform();
  return x;
}

struct Sizes {
  size_t rows, columns, frequencies, mixes;
};

constexpr float kFactor = 6.2831855f;

float applied(const KernelTable& table, Unary function, float x) {
  float y = 0;
  table.unary[static_cast<size_t>(function)](&x, &y, 1);
  return y;
}

TEST(periodic_embeddings_are_their_operations) {
  Random random{31};
  for (const KernelTable* table : supported_tables()) {
    for (const Sizes& s :
         {Sizes{1, 1, 1, 1}, Sizes{3, 14, 16, 3}, Sizes{5, 2, 17, 4}, Sizes{2, 3, kMostFrequencies, 2}}) {
      const size_t waves = s.columns * s.frequencies, outputs = s.columns * s.mixes;
      std::vector<float> x = noise(s.rows * s.columns, random);
      x[0] = 0;
      const auto frequency = noise(waves, random), phase = noise(waves, random), bias = noise(outputs, random);
      const auto weight = noise(waves * s.mixes, random), g = noise(s.rows * outputs, random);
      const PeriodicTask task{frequency.data(), phase.data(), weight.data(), bias.data(),
                              kFactor,          s.columns,    s.frequencies, s.mixes};
      Guarded y(s.rows * outputs, 1), dweight(waves * s.mixes, 1), dphase(waves, 1), dfrequency(waves, 1);
      for (Guarded* sums : {&dweight, &dphase, &dfrequency}) {
        for (size_t i = 0; i < sums->size(); ++i) (*sums)[i] = 0;
      }
      table->periodic_f32(task, x.data(), y.data(), s.rows);
      // By columns, the last alone, as threads divide them.
      const PeriodicChains chains{dweight.data(), dphase.data(), dfrequency.data()};
      table->periodic_gradient_f32(task, chains, x.data(), g.data(), s.rows, 0, s.columns - 1);
      table->periodic_gradient_f32(task, chains, x.data(), g.data(), s.rows, s.columns - 1, s.columns);
      std::vector<float> wanted_weight(waves * s.mixes), wanted_phase(waves), wanted_frequency(waves);
      for (size_t row = 0; row < s.rows; ++row) {
        for (size_t column = 0; column < s.columns; ++column) {
          const float a = x[row * s.columns + column] * kFactor;
          std::vector<std::vector<float>> products(s.mixes, std::vector<float>(s.frequencies));
          for (size_t i = 0; i < s.frequencies; ++i) {
            const size_t at = column * s.frequencies + i;
            const float product = a * frequency[at];
            const float turn = product + phase[at];
            const float wave = applied(*table, Unary::cos, turn);
            float flow = 0;
            for (size_t mix = 0; mix < s.mixes; ++mix) {
              const size_t of = (column * s.mixes + mix) * s.frequencies + i;
              const float flowing = g[row * outputs + column * s.mixes + mix];
              products[mix][i] = wave * weight[of];
              const float term = flowing * wave, back = flowing * weight[of];
              wanted_weight[of] += term;
              flow += back;
            }
            const float slope = flow * -applied(*table, Unary::sin, turn);
            const float scaled = slope * a;
            wanted_phase[at] += slope;
            wanted_frequency[at] += scaled;
          }
          for (size_t mix = 0; mix < s.mixes; ++mix) {
            const size_t at = column * s.mixes + mix;
            const float sum = table->sum_f32(products[mix].data(), s.frequencies) + bias[at];
            CHECK_AT(same(y[row * outputs + at], sum), "%s: row %zu, sum %zu of %zu", table->name, row, at, outputs);
          }
        }
      }
      for (size_t i = 0; i < waves * s.mixes; ++i)
        CHECK_AT(same(dweight[i], wanted_weight[i]), "%s: weight %zu", table->name, i);
      for (size_t i = 0; i < waves; ++i) {
        CHECK_AT(same(dphase[i], wanted_phase[i]), "%s: phase %zu", table->name, i);
        CHECK_AT(same(dfrequency[i], wanted_frequency[i]), "%s: frequency %zu", table->name, i);
      }
      CHECK_AT(y.intact() && dweight.intact() && dphase.intact() && dfrequency.intact(), "%s: written outside",
               table->name);
    }
  }
}

}  // namespace
}  // namespace carillon::test
