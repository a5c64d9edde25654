// Rows of kernels that stream over memory, each in turns with loops that only load and store.
#pragma once

#include <map>
#include <string>

#include "bench.h"

namespace carillon::bench {

inline constexpr size_t kKilobyte = 1024;
inline constexpr size_t kMegabyte = 1024 * kKilobyte;
inline constexpr size_t kSmallBytes = 512 * kKilobyte;  // inside L2
inline constexpr size_t kMiddleBytes = 8 * kMegabyte;
inline constexpr size_t kLargeBytes = 64 * kMegabyte;

// A loop over memory and how fast it was.
struct Stream {
  Pattern pattern;
  bool ahead;
  double gigabytes;  // a second; read and written bytes both count
};

// In-place read-modify-write over 1 to 4 arrays, with and without prefetch: all, the best first.
std::vector<Stream> all_streams(const Machine& machine, float* memory, size_t bytes, double seconds);
// The better of with and without prefetch.
Stream best_of_pattern(const Machine& machine, Pattern pattern, float* memory, size_t bytes, double seconds);

// What a kernel's row needs: `bytes` of memory hold its arrays in the order of the pattern.
struct Kernel {
  std::string name;
  Pattern pattern;
  // Makes what is timed; `moved` becomes the bytes that a call reads and writes.
  std::function<Entrant(float* memory, size_t bytes, double& moved)> make;
  // The loop beside it, where that is none over whole arrays in the pattern; likewise.
  std::function<Entrant(float* memory, size_t bytes, double& moved)> beside = {};
};

// Measures kernels over the working sets, prints a row each.
class StreamedSuite {
 public:
  StreamedSuite(const Machine& machine, const Options& options);
  void measure(const Kernel& kernel);

 private:
  void measure_at(const Kernel& kernel, size_t bytes);
  const Stream& stream_at(size_t bytes);
  const Stream& pattern_at(Pattern pattern, size_t bytes);

  const Machine& machine_;
  const Options& options_;
  AlignedBuffer memory_;
  std::map<size_t, Stream> streams_;
  std::map<std::pair<size_t, int>, Stream> patterns_;
};

// Rows of `elementwise` (moves.cc).
void measure_moves(StreamedSuite& suite, const Machine& machine);

}  // namespace carillon::bench
