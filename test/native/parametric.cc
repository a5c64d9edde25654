// Activations with a share a unit and their gradients, against the kernels of the operations that they consist of.
#include "samples.h"

namespace carillon::test {
namespace {

constexpr ParametricBehind kNothing{nullptr, 0, 1.0f, 1.0f};

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
        kernels.row(x.data(), share.data(), y.data(), bend.data(), columns, kNothing);
        kernels.row(x.data(), share.data(), alone.data(), nullptr, columns, kNothing);
        kernels.gradient_row(dx.data(), x.data(), share.data(), bend.data(), dx.data(), chain.data(), columns,
                             kNothing);
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

// A mask and a factor behind an activation are passes of their own over what it gives, and in front of its gradient.
TEST(what_stands_behind_a_parametric_activation_is_its_operations) {
  Random random{34};
  for (const KernelTable* table : supported_tables()) {
    for (const ParametricKernels* kernels : {&table->parametric_selu, &table->parametric_mish}) {
      for (const size_t columns : {size_t{1}, size_t{16}, size_t{37}, size_t{256}}) {
        for (const size_t bit : {size_t{0}, size_t{5}, size_t{24}}) {
          std::vector<float> x(columns), share(columns), g(columns), flow(columns);
          for (std::vector<float>* values : {&x, &share, &g}) {
            for (float& value : *values) value = random.mixed();
          }
          std::vector<uint8_t> keep((bit + columns) / 8 + 4);
          for (uint8_t& byte : keep) byte = static_cast<uint8_t>(random.next());
          const ParametricBehind behind{keep.data(), bit, 1.25f, 0.3f};
          Guarded y(columns, 1), alone(columns, 2), bend(columns, 3), dx(columns, 1), plain(columns, 2);
          std::vector<float> chain(columns), expected(columns);
          kernels->row(x.data(), share.data(), y.data(), bend.data(), columns, behind);
          kernels->row(x.data(), share.data(), alone.data(), nullptr, columns, kNothing);
          kernels->gradient_row(g.data(), x.data(), share.data(), bend.data(), dx.data(), chain.data(), columns,
                                behind);
          for (size_t i = 0; i < columns; ++i) {
            const bool kept = (keep[(bit + i) / 8] >> (bit + i) % 8 & 1) != 0;
            const float scaled = kept ? alone[i] * behind.scale : 0.0f;
            CHECK_AT(same(y[i], scaled * behind.factor), "%s: element %zu of %zu", table->name, i, columns);
            const float back = g[i] * behind.factor;
            flow[i] = kept ? back * behind.scale : 0.0f;
          }
          kernels->gradient_row(flow.data(), x.data(), share.data(), bend.data(), plain.data(), expected.data(),
                                columns, kNothing);
          for (size_t i = 0; i < columns; ++i) {
            CHECK_AT(same(dx[i], plain[i]) && same(chain[i], expected[i]), "%s: gradient %zu of %zu", table->name, i,
                     columns);
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace carillon::test
