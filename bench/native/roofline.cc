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

// Rows of a table of `bytes` bytes: a step's look-up and update of them, and a rule's states beside.
void print_rows(const Machine& machine, const std::string& name, size_t bytes, int updated, const Options& options) {
  const size_t count = bytes / (kRowFloats * sizeof(float));
  if (count < options.rows) return;
  RowLists lists(count, options.rows);
  std::vector<AlignedBuffer> buffers;
  std::vector<float*> tables;
  for (int table = 0; table < updated; ++table) {
    buffers.emplace_back(bytes);
    tables.push_back(reinterpret_cast<float*>(buffers.back().data()));
    machine.kernels.fill_f32(tables.back(), 1.0f, bytes / sizeof(float));
  }
  const RowsPattern pattern{1, updated};
  const Times times = take_turns({rows_entrant(machine, pattern, tables, lists)}, {.seconds = options.seconds_or(0.5)});
  Line()
      .text("name", name)
      .number("workingSet", static_cast<double>(bytes))
      .number("threads", machine.parallel.threads())
      .number("readOnly", pattern.read)
      .number("readWrite", pattern.updated)
      .number("gbps", pattern.row_bytes() * static_cast<double>(options.rows) / times.median(0) * 1e-9)
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
    for (const int updated : {1, 2, 3}) {
      const std::string name = "rows, " + std::to_string(updated) + " updated";
      if (options.wants(name) && (bytes >= kLargeBytes || options.quick))
        print_rows(machine, name, bytes, updated, options);
    }
  }
}

}  // namespace carillon::bench
