// What every suite uses: the options, the table, the threads, memory, and operations bound to it.
#pragma once

#include <regex>
#include <span>
#include <string>
#include <vector>

#include "measure.h"
#include "ops/operation.h"
#include "probes.h"
#include "runtime/memory.h"

namespace carillon::bench {

// A library to compare with: `key=value` is set in the environment before it is loaded.
struct PeerOption {
  std::string library;  // onednn, openblas, blis, mkl
  std::string path;
  std::string key = {};
  std::string value = {};
};

struct Options {
  std::string suite;
  unsigned threads = 1;
  double seconds = 0;         // a row; 0: the suite's own
  std::vector<size_t> bytes;  // working sets of `roofline`; empty: its own
  size_t rows = 12'800;       // that a call of its `rows` goes through
  std::string only;           // rows whose name it matches; empty: all
  bool quick = false;         // one turn, the smallest working set: to see that all runs
  std::vector<PeerOption> peers;

  double seconds_or(double own) const { return seconds > 0 ? seconds : own; }
  bool wants(const std::string& name) const {
    return only.empty() || std::regex_search(name, std::regex(only, std::regex::ECMAScript | std::regex::icase));
  }
};

// Who computes: a table, its probes and the threads of one suite.
struct Machine {
  const KernelTable& kernels;
  const ProbeTable& probes;
  const Parallel& parallel;

  // Seconds between turns, for the helpers of others to fall asleep.
  double pause() const { return parallel.threads() > 1 ? 2e-3 : 0; }
};

// An operation with everything bound, to be called again and again. Ends the process where the operands do not fit.
class Call {
 public:
  Call(const Machine& machine, const Operation& operation, std::vector<void*> views, std::vector<int64_t> ints,
       std::vector<double> doubles = {}, std::vector<double> lanes = {});
  void operator()();

 private:
  const Machine& machine_;
  const Operation& operation_;
  std::vector<void*> views_;
  std::vector<int64_t> ints_;
  std::vector<double> doubles_;
  std::vector<double> lanes_;
  Registers registers_;
  AlignedBuffer scratch_;
};

// A loop over memory as an entrant: `pattern` over `bytes` bytes of `memory`, cut among the threads.
Entrant stream_entrant(const Machine& machine, Pattern pattern, bool ahead, float* memory, size_t bytes);

// Numbers of rows of a table in slices of `count`: each row in one slice, in no order, and those of a slice ascending.
class RowLists {
 public:
  RowLists(size_t table_rows, size_t count);
  size_t count() const { return count_; }
  size_t slices() const { return drawn_.size() / count_; }
  int32_t* drawn(size_t slice) { return drawn_.data() + slice * count_; }
  int32_t* ascending(size_t slice) { return ascending_.data() + slice * count_; }

 private:
  size_t count_;
  std::vector<int32_t> drawn_, ascending_;
};

// Rows of tables as an entrant, those of another slice at every call: read as they were drawn, from the first table,
// then read and written ascending, in as many tables as the pattern says.
Entrant rows_entrant(const Machine& machine, RowsPattern pattern, const std::vector<float*>& tables, RowLists& lists);

// Multiply-adds in registers on every thread; a call is `flops` operations.
Entrant fma_entrant(const Machine& machine, double& flops);

// Floats of one of `arrays` arrays in `bytes` bytes, and where array `index` begins: a few cache lines more than a
// multiple of the page, so that arrays do not compete for the sets of a cache.
size_t array_count(size_t bytes, int arrays);
float* array_at(float* memory, size_t bytes, int arrays, int index);

// Bytes that `array_at` may reach.
constexpr size_t bytes_with_stagger(size_t bytes) { return bytes + size_t{16} * 4096; }

[[noreturn]] void die(const std::string& message);

// The suites; each prints lines of JSON.
void run_roofline(const Machine& machine, const Options& options);
void run_gemm(const Machine& machine, const Options& options);
void run_elementwise(const Machine& machine, const Options& options);
void run_lookups(const Machine& machine, const Options& options);
void run_dropout(const Machine& machine, const Options& options);
void run_optimizers(const Machine& machine, const Options& options);
// Products alone, to see which setting of a library is the best.
void run_probe(const Machine& machine, const Options& options);

}  // namespace carillon::bench
