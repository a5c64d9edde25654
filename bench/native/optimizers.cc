// Suite `optimizers`: every rule over one segment of parameters, plain and with what may ride in the same pass.
#include <memory>

#include "streams.h"

namespace carillon::bench {
namespace {

// The constants of a rule (optimizer_rules-inl.h) and its scalars of a step, at their usual values.
struct Rule {
  const char* name;
  int states;
  std::vector<double> constants;
  std::vector<double> scalars;
};

const std::vector<double>& moments() {
  static const std::vector<double> values{0.9, 0.1, 0.999, 0.001, 1e-8, 0};
  return values;
}

Rule rule_of(Optimizer optimizer) {
  switch (optimizer) {
    case Optimizer::sgd:
      return {"sgd", 0, {}, {}};
    case Optimizer::momentum:
      return {"momentum", 1, {0.9, 1, 0, 0, 0}, {0}};
    case Optimizer::adagrad:
      return {"adagrad", 1, {1e-10, 0}, {}};
    case Optimizer::rmsprop:
      return {"rmsprop", 1, {0.9, 0.1, 1e-7, 0}, {}};
    case Optimizer::rmsprop_momentum:
      return {"rmsprop_momentum", 2, {0.9, 0.1, 1e-7, 0, 0.9, 0}, {}};
    case Optimizer::rmsprop_centered:
      return {"rmsprop_centered", 2, {0.9, 0.1, 1e-7, 0}, {}};
    case Optimizer::rmsprop_centered_momentum:
      return {"rmsprop_centered_momentum", 3, {0.9, 0.1, 1e-7, 0, 0.9, 0}, {}};
    case Optimizer::adam:
      return {"adam", 2, moments(), {1.5, 30}};
    case Optimizer::amsgrad:
      return {"amsgrad", 3, moments(), {1.5, 30}};
    case Optimizer::nadam:
      return {"nadam", 2, moments(), {1.2, 0.4, 30}};
    case Optimizer::radam:
      return {"radam", 2, moments(), {0.2, 1}};
    case Optimizer::adamax:
      return {"adamax", 2, {0.9, 0.1, 0.999, 1e-8, 0}, {1.5}};
    case Optimizer::adadelta:
      return {"adadelta", 2, {0.9, 0.1, 1e-6}, {}};
    case Optimizer::lion:
      return {"lion", 1, {0.9, 0.1, 0.99, 0.01}, {}};
    case Optimizer::count:
      break;
  }
  die("no such rule");
}

constexpr size_t kConstantRoom = 8;
constexpr double kNoClip = 1e300;  // +infinity as a float

// Arrays: the gradient, then θ and the states, then the average, as the pattern orders them.
Entrant update(const Machine& machine, Optimizer optimizer, bool full, Pattern pattern, float* memory, size_t bytes) {
  const Rule rule = rule_of(optimizer);
  const int arrays = pattern.arrays();
  const size_t count = array_count(bytes, arrays);
  const auto array = [&](int index) -> void* { return array_at(memory, bytes, arrays, index); };
  // States begin at 0, the average too; parameters and gradients at noise.
  for (int a = 0; a < arrays; ++a) {
    auto* x = static_cast<float*>(array(a));
    if (a < 2) {
      fill_noise(x, count);
    } else {
      machine.kernels.fill_f32(x, 0.0f, count);
    }
  }
  std::vector<void*> views{array(1), array(0)};
  for (int state = 0; state < static_cast<int>(kMaxStates); ++state) {
    views.push_back(state < rule.states ? array(2 + state) : nullptr);
  }
  views.push_back(full ? array(2 + rule.states) : nullptr);
  views.push_back(nullptr);               // gradient scale
  views.push_back(nullptr);               // penalty
  views.insert(views.end(), 6, nullptr);  // of a gradient in rows

  std::vector<int64_t> ints{0,
                            0,
                            static_cast<int64_t>(optimizer),
                            0,
                            static_cast<int64_t>(rule.constants.size()),
                            static_cast<int64_t>(rule.scalars.size())};
  ints.insert(ints.end(), {0, 0, 0, 0, 0, -1, 0, 0});
  ints.insert(ints.end(), {0, 1, static_cast<int64_t>(count), 0});  // one segment: offset, rows, columns, flags
  std::vector<double> doubles = rule.constants;
  doubles.resize(kConstantRoom);
  doubles.insert(doubles.end(), {full ? 0.9 : kNoClip, 0.999});
  // L2, L1, decay, scheduled decay, proximal step, max-norm, two penalty sums
  doubles.insert(doubles.end(), {full ? 1e-4 : 0, 0, 0, 0, 0, 0, 0, 0});
  std::vector<double> lanes{1e-6};  // so small that θ keeps its size over all the calls
  lanes.insert(lanes.end(), rule.scalars.begin(), rule.scalars.end());
  auto call = std::make_shared<Call>(machine, op_update, std::move(views), std::move(ints), std::move(doubles),
                                     std::move(lanes));
  return {[call] { (*call)(); }};
}

}  // namespace

void run_optimizers(const Machine& machine, const Options& options) {
  StreamedSuite suite(machine, options);
  for (int32_t index = 0; index < static_cast<int32_t>(Optimizer::count); ++index) {
    const auto optimizer = static_cast<Optimizer>(index);
    const Rule rule = rule_of(optimizer);
    for (const bool full : {false, true}) {
      const Pattern pattern{1, 1 + rule.states + (full ? 1 : 0), 0};
      const std::string name = std::string(rule.name) + (full ? ", L2, clipping, average" : "");
      suite.measure({name, pattern, [&, pattern, full, optimizer](float* memory, size_t bytes, double& moved) {
                       moved = pattern.bytes() * static_cast<double>(array_count(bytes, pattern.arrays()));
                       return update(machine, optimizer, full, pattern, memory, bytes);
                     }});
    }
  }
}

}  // namespace carillon::bench
