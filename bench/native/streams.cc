#include "streams.h"

#include <algorithm>

namespace carillon::bench {
namespace {

// Bytes that a call of `pattern` over `bytes` bytes of memory moves.
double moved_by(Pattern pattern, size_t bytes) {
  return pattern.bytes() * static_cast<double>(array_count(bytes, pattern.arrays()));
}

std::vector<Stream> measured(const Machine& machine, std::vector<Stream> streams, float* memory, size_t bytes,
                             double seconds) {
  std::vector<Entrant> entrants;
  entrants.reserve(streams.size());
  for (const Stream& stream : streams) {
    entrants.push_back(stream_entrant(machine, stream.pattern, stream.ahead, memory, bytes));
  }
  const Times times = take_turns(entrants, {.seconds = seconds});
  for (size_t i = 0; i < streams.size(); ++i) {
    streams[i].gigabytes = moved_by(streams[i].pattern, bytes) / times.median(i) * 1e-9;
  }
  std::sort(streams.begin(), streams.end(), [](const Stream& a, const Stream& b) { return a.gigabytes > b.gigabytes; });
  return streams;
}

constexpr double kChoiceSeconds = 0.2;

}  // namespace

std::vector<Stream> all_streams(const Machine& machine, float* memory, size_t bytes, double seconds) {
  std::vector<Stream> streams;
  for (int arrays = 1; arrays <= 4; ++arrays) {
    for (const bool ahead : {false, true}) streams.push_back({{0, arrays, 0}, ahead, 0});
  }
  return measured(machine, std::move(streams), memory, bytes, seconds);
}

Stream best_of_pattern(const Machine& machine, Pattern pattern, float* memory, size_t bytes, double seconds) {
  return measured(machine, {{pattern, false, 0}, {pattern, true, 0}}, memory, bytes, seconds).front();
}

StreamedSuite::StreamedSuite(const Machine& machine, const Options& options)
    : machine_(machine), options_(options), memory_(bytes_with_stagger(kLargeBytes)) {
  fill_noise(reinterpret_cast<float*>(memory_.data()), memory_.bytes() / sizeof(float));
}

const Stream& StreamedSuite::stream_at(size_t bytes) {
  const auto found = streams_.find(bytes);
  if (found != streams_.end()) return found->second;
  auto* memory = reinterpret_cast<float*>(memory_.data());
  return streams_[bytes] = all_streams(machine_, memory, bytes, 2 * kChoiceSeconds).front();
}

const Stream& StreamedSuite::pattern_at(Pattern pattern, size_t bytes) {
  const std::pair<size_t, int> key{bytes, pattern.read * 100 + pattern.updated * 10 + pattern.written};
  const auto found = patterns_.find(key);
  if (found != patterns_.end()) return found->second;
  auto* memory = reinterpret_cast<float*>(memory_.data());
  return patterns_[key] = best_of_pattern(machine_, pattern, memory, bytes, kChoiceSeconds);
}

void StreamedSuite::measure(const Kernel& kernel) {
  if (!options_.wants(kernel.name)) return;
  if (options_.quick) return measure_at(kernel, kSmallBytes);
  measure_at(kernel, kLargeBytes);
  if (machine_.parallel.threads() > 1) return;
  measure_at(kernel, kMiddleBytes);
  measure_at(kernel, kSmallBytes);
}

// The kernel, the stream, and the loop that has the kernel's own pattern, in turns over the same memory.
void StreamedSuite::measure_at(const Kernel& kernel, size_t bytes) {
  auto* memory = reinterpret_cast<float*>(memory_.data());
  const Stream& stream = stream_at(bytes);
  double moved = 0, own_share = 0;
  std::vector<Entrant> entrants;
  entrants.push_back(kernel.make(memory, bytes, moved));
  entrants.push_back(stream_entrant(machine_, stream.pattern, stream.ahead, memory, bytes));
  if (kernel.beside) {
    entrants.push_back(kernel.beside(memory, bytes, own_share));
  } else {
    const Stream& own = pattern_at(kernel.pattern, bytes);
    entrants.push_back(stream_entrant(machine_, own.pattern, own.ahead, memory, bytes));
    own_share = moved_by(own.pattern, bytes);
  }
  const Times times = take_turns(entrants, {.seconds = options_.seconds_or(0.3)});

  const double stream_share = moved_by(stream.pattern, bytes);
  Line()
      .text("name", kernel.name)
      .number("workingSet", static_cast<double>(bytes))
      .number("threads", machine_.parallel.threads())
      .number("readOnly", kernel.pattern.read)
      .number("readWrite", kernel.pattern.updated)
      .number("writeOnly", kernel.pattern.written)
      .number("gbps", moved / times.median(0) * 1e-9)
      .number("streamGbps", stream_share / times.median(1) * 1e-9)
      .number("patternGbps", own_share / times.median(2) * 1e-9)
      .number("fractionOfStream", moved / stream_share * times.ratio(1, 0))
      .number("fractionOfPattern", moved / own_share * times.ratio(2, 0))
      .print();
}

}  // namespace carillon::bench
