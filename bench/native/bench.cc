#include "bench.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace carillon::bench {

void die(const std::string& message) {
  std::fprintf(stderr, "carillon_bench: %s\n", message.c_str());
  std::exit(1);
}

Call::Call(const Machine& machine, const Operation& operation, std::vector<void*> views, std::vector<int64_t> ints,
           std::vector<double> doubles, std::vector<double> lanes)
    : machine_(machine),
      operation_(operation),
      views_(std::move(views)),
      ints_(std::move(ints)),
      doubles_(std::move(doubles)),
      lanes_(std::move(lanes)) {
  const std::string wrong = refusal(operation_, views_, ints_, doubles_);
  if (!wrong.empty()) die(std::string(operation_.name) + ": " + wrong);
  const Arguments arguments{views_.data(), ints_.data(), doubles_.data(), ints_.size(), doubles_.size()};
  if (operation_.scratch != nullptr) scratch_ = AlignedBuffer(operation_.scratch(arguments, machine_.kernels));
  registers_.seed = 1;
  registers_.step = 1;
  registers_.lanes = lanes_.data();
  registers_.lane_count = lanes_.size();
}

void Call::operator()() {
  Fault fault;
  const Arguments arguments{views_.data(), ints_.data(), doubles_.data(), ints_.size(), doubles_.size()};
  operation_.run({machine_.kernels, machine_.parallel, registers_, scratch_.data(), fault}, arguments);
  if (fault.what != nullptr) die(std::string(operation_.name) + ": bad " + fault.what);
}

size_t array_count(size_t bytes, int arrays) {
  const size_t count = bytes / sizeof(float) / static_cast<size_t>(arrays);
  return count / kStreamStep * kStreamStep;
}

float* array_at(float* memory, size_t bytes, int arrays, int index) {
  constexpr size_t stagger = 272;  // floats: 17 cache lines
  return memory + static_cast<size_t>(index) * (array_count(bytes, arrays) + stagger);
}

Entrant stream_entrant(const Machine& machine, Pattern pattern, bool ahead, float* memory, size_t bytes) {
  const auto* probe = std::find_if(std::begin(machine.probes.streams), std::end(machine.probes.streams),
                                   [&](const StreamProbe& each) { return each.pattern == pattern; });
  if (probe == std::end(machine.probes.streams)) die("no such stream");
  const StreamLoop loop = ahead ? probe->ahead : probe->plain;
  const int arrays = pattern.arrays();
  const size_t steps = array_count(bytes, arrays) / kStreamStep;
  return {[&machine, loop, arrays, steps, memory, bytes] {
    const size_t chunks = machine.parallel.chunks(steps * kStreamStep, kLeastElements);
    machine.parallel.run(chunks, [&](size_t chunk) {
      const size_t begin = steps * chunk / chunks;
      const size_t end = steps * (chunk + 1) / chunks;
      float* pointers[kMostArrays];
      for (int a = 0; a < arrays; ++a) pointers[a] = array_at(memory, bytes, arrays, a) + begin * kStreamStep;
      volatile float sink = loop(pointers, (end - begin) * kStreamStep);
      static_cast<void>(sink);
    });
  }};
}

RowLists::RowLists(size_t table_rows, size_t count) : count_(count), drawn_(table_rows) {
  uint32_t state = 1;
  for (size_t i = 0; i < table_rows; ++i) {
    state = state * 1664525u + 1013904223u;
    const size_t other = static_cast<size_t>(uint64_t{state} * (i + 1) >> 32);
    drawn_[i] = drawn_[other];
    drawn_[other] = static_cast<int32_t>(i);
  }
  drawn_.resize(table_rows / count * count);
  ascending_ = drawn_;
  for (size_t slice = 0; slice < slices(); ++slice) std::sort(ascending(slice), ascending(slice) + count);
}

Entrant rows_entrant(const Machine& machine, RowsPattern pattern, const std::vector<float*>& tables, RowLists& lists) {
  const auto loop_of = [&](RowsPattern wanted) {
    const auto* probe = std::find_if(std::begin(machine.probes.rows), std::end(machine.probes.rows),
                                     [&](const RowsProbe& each) { return each.pattern == wanted; });
    if (probe == std::end(machine.probes.rows)) die("no such rows");
    return probe->loop;
  };
  const RowsLoop read = pattern.read == 0 ? nullptr : loop_of({pattern.read, 0});
  const RowsLoop update = pattern.updated == 0 ? nullptr : loop_of({0, pattern.updated});
  return {[&machine, &lists, read, update, tables, slice = size_t{0}]() mutable {
    const size_t count = lists.count();
    const size_t chunks = machine.parallel.chunks(count * kRowFloats, kLeastElements);
    const auto over = [&](RowsLoop loop, const int32_t* rows) {
      if (loop == nullptr) return;
      machine.parallel.run(chunks, [&](size_t chunk) {
        const size_t begin = count * chunk / chunks;
        volatile float sink = loop(tables.data(), rows + begin, count * (chunk + 1) / chunks - begin);
        static_cast<void>(sink);
      });
    };
    over(read, lists.drawn(slice));
    over(update, lists.ascending(slice));
    slice = (slice + 1) % lists.slices();
  }};
}

Entrant fma_entrant(const Machine& machine, double& flops) {
  constexpr size_t rounds = 1 << 15;  // 0.1 ms: longer than a helper takes to wake
  const unsigned threads = machine.parallel.threads();
  flops = machine.probes.flops * rounds * threads;
  return {[&machine, threads] {
    machine.parallel.run(threads, [&](size_t) {
      volatile float sink = machine.probes.fma(rounds);
      static_cast<void>(sink);
    });
  }};
}

}  // namespace carillon::bench
