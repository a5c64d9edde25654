// Activations with a share a unit and their gradients, against the kernels of the operations that they consist of.
#include "samples.h"

namespace carillon::test {
namespace {

TEST(parametric_activations_are_their_operations) {
  Random random{33};
  for (const KernelTable* table : supported_tables()) {
    const struct {
      const ParametricKernels& kernels;
      Unary function, slope;
    } forms[] = {{table->parametric_selu, Unary::selu, Unary::selu_slope},
                 {table->parametric_mish, Unary::mish, Unary::mish_slope}};
    for (const auto& [kernels, function, slope] : forms) {
      for (const size_t columns : {size_t{1}, size_t{16}, size_t{37}, size_t{256}}) {
        std::vector<float> x(columns), share(columns), g(columns), bent(columns), slopes(columns), chains(columns);
        for (std::vector<float>* values : {&x, &share, &g, &chains}) {
          for (float& value : *values) value = random.mixed();
        }
        table->unary[static_cast<size_t>(function)](x.data(), bent.data(), columns);
        table->unary[static_cast<size_t>(slope)](x.data(), slopes.data(), columns);
        Guarded y(columns, 1), alone(columns, 2), bend(columns, 3), dx(columns, 1), chain(columns, 1);
        for (size_t i = 0; i < columns; ++i) {
          dx[i] = g[i];
          chain[i] = chains[i];
        }
        kernels.row(x.data(), share.data(), y.data(), bend.data(), columns);
        kernels.row(x.data(), share.data(), alone.data(), nullptr, columns);
        kernels.gradient_row(dx.data(), x.data(), share.data(), bend.data(), dx.data(), chain.data(), columns);
        for (size_t i = 0; i < columns; ++i) {
          const float off = bent[i] - x[i];
          const float forward = off * share[i], part = g[i] * share[i], term = g[i] * off;
          const float straight = g[i] + -part, back = part * slopes[i];
          CHECK_AT(same(bend[i], off) && same(y[i], x[i] + forward) && same(alone[i], y[i]), "%s: element %zu of %zu",
                   table->name, i, columns);
          CHECK_AT(same(dx[i], straight + back) && same(chain[i], chains[i] + term), "%s: gradient %zu of %zu",
                   table->name, i, columns);
        }
        CHECK_AT(y.intact() && alone.intact() && bend.intact() && dx.intact() && chain.intact(), "%s: written outside",
                 table->name);
      }
    }
  }
}

}  // namespace
}  // namespace carillon::test
