// Operations: what an instruction does to its views. Lengths are checked before anything runs; the work is split over
// threads here, above the kernels. Eager calls and programs run the same functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>

#include "../kernels/table.h"
#include "../runtime/thread_pool.h"

namespace carillon {

// Views of one instruction at most.
inline constexpr size_t kMaxViews = 8;

enum class Dtype : int32_t { f32 = 0, i32 = 1, u8 = 2 };

// What changes from step to step.
struct Registers {
  uint64_t seed = 0;
  uint32_t step = 0;              // counts from 1
  uint32_t epoch = 0;             // counts from 0
  size_t rows = 0;                // examples in this step's batch
  size_t position = 0;            // where the batch begins in the epoch's order
  size_t batch_offset = 0;        // where it begins in the optimizer batch: mask indices count from there
  const double* lanes = nullptr;  // schedule values of this step
  size_t lane_count = 0;
  float* log_row = nullptr;  // this step's row of the log
};

// The first thing that data made impossible, such as a label outside the classes. It stops the program.
struct Fault {
  const char* what = nullptr;
  size_t row = 0;
  int64_t value = 0;
  int64_t limit = 0;
};

struct Context {
  const KernelTable& kernels;
  const Parallel& parallel;
  const Registers& registers;
  void* scratch;
  Fault& fault;
};

// An instruction with its views bound and its batch-sized dimensions resolved.
struct Arguments {
  void* const* views;   // nullptr where an optional view is absent
  const int64_t* ints;  // dimensions come first
  const double* doubles;
  size_t int_count;
  size_t double_count;

  template <typename T>
  T* view(size_t index) const {
    return static_cast<T*>(views[index]);
  }
  size_t size(size_t index) const { return static_cast<size_t>(ints[index]); }
};

// Collects what an instruction asks of its views; `error` says the first thing wrong with its own operands.
struct Requirements {
  size_t counts[kMaxViews] = {};  // elements each view must have
  std::string error;

  void fail(std::string message) {
    if (error.empty()) error = std::move(message);
  }
  void need(size_t view, size_t rows, size_t columns = 1) {
    if (columns != 0 && rows > std::numeric_limits<size_t>::max() / 16 / columns) {
      fail("dimensions overflow");
      return;
    }
    counts[view] = rows * columns;
  }
};

// views: a letter each, f i u read and F I U written, M read and written f32; x is f32, i32 or u8, X written as x is;
//        '?' behind a letter: may be absent.
// ints:  d a dimension (negative in code: −k means k·rows of the batch), i a plain integer; a final '*': any number
// more of
//        plain integers.
struct Operation {
  const char* name;
  const char* views;
  const char* ints;
  int doubles;    // exact number, or −1 − least number
  bool in_place;  // the written view may be exactly a read one
  void (*check)(const Arguments& arguments, Requirements& requirements);
  size_t (*scratch)(const Arguments& arguments, const KernelTable& kernels);  // bytes, or nullptr
  void (*run)(const Context& context, const Arguments& arguments);
};

enum class OperationId : int32_t {
#define X(name) name,
#include "operations.def"
#undef X
  count
};

#define X(name) extern const Operation op_##name;
#include "operations.def"
#undef X

// nullptr outside the list.
const Operation* find_operation(int32_t id);

// Columns of a packed panel at most, whatever the kernels are: packed operands have room for whole panels of these.
inline constexpr size_t kPackedColumns = 32;

// Elements below which a second thread costs more than it brings: about 10 µs of streaming work.
inline constexpr size_t kLeastElements = 16384;

}  // namespace carillon
