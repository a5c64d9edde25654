// The two limits: multiply-adds in registers, and reading and writing memory.
#include <algorithm>

#include "streams.h"

namespace carillon::bench {
namespace {

constexpr size_t kLevelOneBytes = 24 * kKilobyte;

void print_stream(const Machine& machine, const char* name, size_t bytes, const Stream& stream) {
  Line()
      .text("name", name)
      .number("workingSet", static_cast<double>(bytes))
      .number("threads", machine.parallel.threads())
      .number("readOnly", stream.pattern.read)
      .number("readWrite", stream.pattern.updated)
      .truth("prefetch", stream.ahead)
      .number("gbps", stream.gigabytes)
      .print();
}

}  // namespace

void run_roofline(const Machine& machine, const Options& options) {
  const double seconds = options.seconds_or(0.5);
  double flops = 0;
  const Entrant fma = fma_entrant(machine, flops);
  const Times times = take_turns({fma}, {.seconds = seconds});
  Line()
      .text("name", "fma")
      .number("threads", machine.parallel.threads())
      .number("gflops", flops / times.median(0) * 1e-9)
      .print();

  std::vector<size_t> sets = options.bytes;
  if (sets.empty() && options.quick) sets = {kLevelOneBytes};
  if (sets.empty()) sets = {kLevelOneBytes, kSmallBytes, kMiddleBytes, kLargeBytes};
  const AlignedBuffer buffer(bytes_with_stagger(*std::max_element(sets.begin(), sets.end())));
  auto* memory = reinterpret_cast<float*>(buffer.data());
  fill_noise(memory, buffer.bytes() / sizeof(float));
  for (const size_t bytes : sets) {
    if (options.wants("stream")) {
      print_stream(machine, "stream", bytes, all_streams(machine, memory, bytes, 2 * seconds).front());
    }
    const std::pair<const char*, Pattern> rules[] = {{"sgd", {1, 1, 0}}, {"momentum", {1, 2, 0}}, {"adam", {1, 3, 0}}};
    for (const auto& [name, pattern] : rules) {
      if (!options.wants(name)) continue;
      print_stream(machine, name, bytes, best_of_pattern(machine, pattern, memory, bytes, seconds / 2));
    }
  }
}

}  // namespace carillon::bench
