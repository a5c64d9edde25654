// Programs as the engine runs them: a small classifier trained from hand-written words, the same bits for any number of
// threads, nothing allocated between two steps.
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstring>
#include <limits>
#include <thread>
#include <vector>

#include "../../native/dispatch/dispatch.h"
#include "../../native/program/program.h"
#include "allocations.h"
#include "check.h"

namespace carillon {
namespace {

constexpr size_t kInputs = 300;
constexpr size_t kClasses = 130;
constexpr size_t kSamples = 200;
constexpr size_t kBatch = 64;
constexpr size_t kWeights = kInputs * kClasses;

// The rate, and the corrections of Adam's moments: 1/(1 − βᵗ).
constexpr size_t kLanes = 3;

std::vector<double> lanes_of(uint32_t first_step, size_t steps) {
  std::vector<double> lanes;
  for (size_t i = 0; i < steps; ++i) {
    const auto t = static_cast<double>(first_step + i);
    for (const double value : {0.01, 1 / (1 - std::pow(0.9, t)), 1 / (1 - std::pow(0.999, t))}) lanes.push_back(value);
  }
  return lanes;
}

void emit(std::vector<int32_t>& words, OperationId id, const std::vector<int32_t>& views,
          const std::vector<int32_t>& ints, const std::vector<double>& doubles = {}) {
  words.push_back(static_cast<int32_t>(id));
  for (const size_t count : {views.size(), ints.size(), doubles.size()}) words.push_back(static_cast<int32_t>(count));
  words.insert(words.end(), views.begin(), views.end());
  words.insert(words.end(), ints.begin(), ints.end());
  for (const double value : doubles) {
    int32_t halves[2];
    std::memcpy(halves, &value, sizeof value);
    words.insert(words.end(), halves, halves + 2);
  }
}

Turns& turns() {
  static Turns all;
  return all;
}

// softmax(dropout(x)·Wᵀ) trained by Adam with L2: slabs in the order of the slots below.
struct Classifier {
  std::shared_ptr<Slab> weights = std::make_shared<Slab>(kWeights, Dtype::f32);
  std::shared_ptr<Slab> first = std::make_shared<Slab>(kWeights, Dtype::f32);
  std::shared_ptr<Slab> second = std::make_shared<Slab>(kWeights, Dtype::f32);
  std::shared_ptr<Slab> x = std::make_shared<Slab>(kSamples * kInputs, Dtype::f32);
  std::shared_ptr<Slab> y = std::make_shared<Slab>(kSamples, Dtype::i32);
  std::shared_ptr<Slab> order = std::make_shared<Slab>(kSamples, Dtype::i32);
  std::unique_ptr<Program> program;

  explicit Classifier(int32_t worst_label = 0) {
    auto* features = reinterpret_cast<float*>(x->data());
    for (size_t i = 0; i < kSamples * kInputs; ++i) features[i] = static_cast<float>(i * 7919 % 1000) / 1000.0f - 0.5f;
    auto* labels = reinterpret_cast<int32_t*>(y->data());
    for (size_t i = 0; i < kSamples; ++i) labels[i] = static_cast<int32_t>(i % kClasses);
    if (worst_label != 0) labels[kSamples - 1] = worst_label;

    ProgramSpec spec;
    spec.slabs = {weights, first, second, x, y, order};
    spec.writable = {true, true, true, false, false, true};
    std::vector<double> views;
    int32_t next = 0;
    size_t arena = 0;
    const auto view = [&](int32_t slot, Dtype dtype, size_t count, bool batched) {
      const size_t offset = slot == 0 ? arena : 0;
      if (slot == 0) arena += (count * (batched ? kBatch : 1) + 15) / 16 * 16;
      for (const size_t word :
           {static_cast<size_t>(slot), static_cast<size_t>(dtype), offset, count, size_t{batched}}) {
        views.push_back(static_cast<double>(word));
      }
      return next++;
    };
    const auto w = view(1, Dtype::f32, kWeights, false);
    const auto m1 = view(2, Dtype::f32, kWeights, false);
    const auto m2 = view(3, Dtype::f32, kWeights, false);
    const auto source_x = view(4, Dtype::f32, kSamples * kInputs, false);
    const auto source_y = view(5, Dtype::i32, kSamples, false);
    const auto index = view(6, Dtype::i32, kSamples, false);
    const auto batch_x = view(0, Dtype::f32, kInputs, true);
    const auto batch_y = view(0, Dtype::i32, 1, true);
    const auto logits = view(0, Dtype::f32, kClasses, true);
    const auto losses = view(0, Dtype::f32, 1, true);
    const auto total = view(0, Dtype::f32, 1, false);
    const auto rows = view(0, Dtype::f32, 1, false);
    const auto scale = view(0, Dtype::f32, 1, false);
    const auto gradient = view(0, Dtype::f32, kWeights, false);
    const auto penalty = view(0, Dtype::f32, 1, false);

    std::vector<int32_t> code;
    const auto k = [](size_t value) { return static_cast<int32_t>(value); };
    emit(code, OperationId::gather, {source_x, index, batch_x}, {-1, k(kInputs), k(kSamples), 0}, {1.0});
    emit(code, OperationId::gather, {source_y, index, batch_y}, {-1, 1, k(kSamples), 1}, {1.0});
    emit(code, OperationId::dropout, {batch_x, batch_x}, {-1, k(kInputs), 0, 1, 1, 0}, {0.8, 1.25, 0, 0});
    emit(code, OperationId::gemm, {batch_x, w, -1, logits}, {-1, k(kClasses), k(kInputs), 0, 1, 0, 0});
    emit(code, OperationId::softmax_cross_entropy, {logits, batch_y, losses}, {-1, k(kClasses)});
    emit(code, OperationId::sum, {losses, total}, {-1});
    emit(code, OperationId::row_count, {rows}, {});
    emit(code, OperationId::unary, {rows, scale}, {1, static_cast<int32_t>(Unary::reciprocal)});
    emit(code, OperationId::softmax_cross_entropy_gradient, {logits, batch_y, scale, logits}, {-1, k(kClasses), 1});
    emit(code, OperationId::gemm, {logits, batch_x, -1, gradient}, {k(kClasses), k(kInputs), -1, 1, 0, 0, 0});
    // β₁, 1 − β₁, β₂, 1 − β₂, ε, outside; room; no clipping, no average; then L2 and penalty of the
    // segment. The corrections of the bias come as scalars in the lanes behind the rate's.
    emit(code, OperationId::update, {w, gradient, m1, m2, -1, -1, -1, penalty, -1, -1, -1, -1, -1, -1},
         {0, 0, static_cast<int32_t>(Optimizer::adam), 0, 6, 2, 0, 0, 0, 0, 0, -1, 0, 0, 0, k(kClasses), k(kInputs), 0},
         {0.9, 0.1, 0.999, 0.001, 1e-8, 0, 0, 0, std::numeric_limits<double>::infinity(), 0, 1e-3, 0, 0, 0, 0, 0, 1e-3,
          0});
    emit(code, OperationId::log_scalar, {total}, {0});
    emit(code, OperationId::log_scalar, {penalty}, {1});

    spec.code = code;
    spec.views = views;
    spec.arena_count = arena;
    spec.max_rows = kBatch;
    spec.log_columns = 2;
    spec.log_rows = 64;
    spec.lanes = kLanes;
    spec.seed = 42;
    spec.samples = kSamples;
    spec.batch = kBatch;
    spec.shuffle = true;
    spec.order_slot = 6;
    program = std::make_unique<Program>(spec, *default_table());
  }

  RunResult run(uint32_t first_step, size_t steps, unsigned threads) const {
    const std::vector<double> rates = lanes_of(first_step, steps);
    RunRequest request;
    request.first_step = first_step;
    request.steps = steps;
    request.lanes = rates;
    request.threads = threads;
    CHECK(program->lease());
    RunResult result = program->run(request, turns());
    program->release();
    return result;
  }

  std::vector<float> values() const {
    const auto* data = reinterpret_cast<const float*>(weights->data());
    return {data, data + kWeights};
  }
};

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

}  // namespace

TEST(program_trains_with_the_same_bits_for_any_threads) {
  set_thread_limit(4);
  const Classifier one;
  CHECK(one.run(1, 40, 1).steps == 40);
  const std::span<const float> log = one.program->log();
  CHECK(log[size_t{2} * 39] < 0.5f * log[0]);  // it learns
  CHECK(log[1] == 0.0f);                       // the weights began at 0
  CHECK(log[size_t{2} * 39 + 1] > 0.0f);
  for (unsigned threads = 2; threads <= 4; ++threads) {
    const Classifier many;
    CHECK(many.run(1, 40, threads).steps == 40);
    CHECK(same_bits(one.values(), many.values()));
  }
}

TEST(program_cut_anywhere_gives_the_same_bits) {
  const Classifier whole;
  whole.run(1, 12, 1);
  for (uint32_t cut = 1; cut < 12; ++cut) {
    const Classifier parts;
    parts.run(1, cut, 1);
    parts.run(cut + 1, 12 - cut, 1);
    CHECK(same_bits(whole.values(), parts.values()));
  }
}

TEST(program_allocates_nothing_while_it_runs) {
  set_thread_limit(2);
  const Classifier classifier;
  classifier.run(1, 2, 2);  // starts the helper
  const std::vector<double> rates = lanes_of(3, 500);
  RunRequest request;
  request.first_step = 3;
  request.steps = 500;
  request.lanes = rates;
  request.threads = 2;
  CHECK(classifier.program->lease());
  const size_t before = test::allocations();
  const int64_t buffers = memory_count().allocations.load();
  const RunResult result = classifier.program->run(request, turns());
  CHECK(test::allocations() == before);
  CHECK(memory_count().allocations.load() == buffers);
  CHECK(result.steps == request.steps);
  classifier.program->release();
}

TEST(program_alone_waits_for_no_turn) {
  set_thread_limit(1);
  const Classifier classifier;
  Turns::Run holder(turns(), Priority::normal, true);
  const std::atomic<bool> never{false};
  CHECK(holder.begin(1, never) == 1);
  const std::vector<double> rates = lanes_of(1, 8);
  RunRequest request;
  request.steps = 8;
  request.lanes = rates;
  request.threads = 2;
  request.waits = true;
  request.alone = true;
  CHECK(classifier.program->lease());
  CHECK(classifier.program->run(request, turns()).steps == request.steps);
  classifier.program->release();
  holder.end();
}

TEST(program_stops_at_an_impossible_label) {
  const Classifier classifier(static_cast<int32_t>(kClasses));
  const RunResult result = classifier.run(1, 8, 1);
  CHECK(result.fault.what != nullptr && std::strcmp(result.fault.what, "label") == 0);
  CHECK(result.fault.value == static_cast<int64_t>(kClasses));
  CHECK(result.steps < 4);  // the label stands somewhere in the first epoch
}

TEST(program_slabs_are_leased_to_one_writer) {
  const Classifier classifier;
  CHECK(classifier.program->lease());
  CHECK(!classifier.program->lease());
  CHECK(!classifier.weights->lease(false));
  CHECK(classifier.x->lease(false));  // readers share
  classifier.x->release(false);
  classifier.program->release();
  CHECK(classifier.weights->lease(false));
  classifier.weights->release(false);
}

TEST(program_lets_readers_in_between_steps) {
  const Classifier classifier;
  std::atomic<bool> done{false};
  std::vector<float> copy(kWeights);
  std::thread runner([&] {
    classifier.run(1, 300, 1);
    done = true;
  });
  size_t reads = 0;
  while (!done) {
    classifier.weights->gate().between_steps(
        [&] { std::memcpy(copy.data(), classifier.weights->data(), kWeights * sizeof(float)); });
    ++reads;
  }
  runner.join();
  CHECK(reads > 0);
  const Classifier alone;
  alone.run(1, 300, 1);
  CHECK(same_bits(classifier.values(), alone.values()));
}

TEST(gate_lets_nobody_read_what_is_being_written) {
  StepGate gate;
  std::atomic<bool> reading{false}, read{false}, written{false};
  std::thread reader([&] {
    gate.between_steps([&] {
      reading = true;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      read = true;
    });
  });
  while (!reading) std::this_thread::yield();
  bool behind = false, alone = true;
  std::thread late;
  gate.alone([&] {
    behind = read;
    late = std::thread([&] { gate.between_steps([&] { alone = written; }); });
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    written = true;
  });
  reader.join();
  late.join();
  CHECK(behind);
  CHECK(alone);
}

TEST(pool_runs_every_chunk_once) {
  ThreadPool pool;
  for (const unsigned threads : {2u, 3u, 5u}) {
    const Parallel parallel(pool, threads);
    CHECK(parallel.threads() == threads);
    for (size_t round = 0; round < 2000; ++round) {
      const size_t chunks = 1 + round % 37;
      std::vector<std::atomic<int>> counts(chunks);
      parallel.run(chunks, [&](size_t i) { ++counts[i]; });
      for (const auto& count : counts) CHECK(count.load() == 1);
    }
  }
}

TEST(pool_serves_drivers_that_come_and_go) {
  ThreadPool pool;
  std::atomic<size_t> total{0};
  std::vector<std::thread> drivers;
  drivers.reserve(3);
  for (int driver = 0; driver < 3; ++driver) {
    drivers.emplace_back([&] {
      for (int round = 0; round < 300; ++round) {
        const Parallel parallel(pool, 3);  // alone when another driver has the helpers
        parallel.run(11, [&](size_t /*index*/) { ++total; });
        if (round % 50 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    });
  }
  for (std::thread& driver : drivers) driver.join();
  CHECK(total.load() == size_t{3} * 300 * 11);
}

}  // namespace carillon
