// Operations: what an instruction does to its views. Lengths are checked before anything runs; the work is split over
// threads here, above the kernels. Eager calls and programs run the same functions.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>

#include "../kernels/table.h"
#include "../runtime/thread_pool.h"

namespace carillon {

// Views of one instruction at most.
inline constexpr size_t kMaxViews = 20;

enum class Dtype : int32_t {
#define X(name) name,
#include "dtypes.def"
#undef X
  count
};

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
  int64_t column = -1;  // of an index in its row; −1: the row has one
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

// The operands of an operation by name, words apart by spaces. From these words TypeScript has its table
// (lib/binding/operations.ts), so the order is written here and nowhere else.
//
// views:   name:letter, f i u read and F I U written, M read and written f32; x is f32, i32 or u8, X written as x is.
//          '?' behind it: may be absent. name[3]: three of them.
// ints:    name:d, a dimension (negative in code: −k means k·rows of the batch), dimensions first; i a plain integer;
//          b 0 or 1; # how many numbers are given of the array of that name; or the name of a list of info(), whose
//          names are numbered. '?' behind it: may be left out and is 0 then, '?-1': −1.
// doubles: name, '?1' behind it: 1 where it is left out. name[8]: room for eight.
// The last of ints, and of doubles: name*(…,…), any number of items of these.
struct Operands {
  const char* views;
  const char* ints;
  const char* doubles;
  char kinds[kMaxViews] = {};
  bool optional[kMaxViews] = {};
  size_t view_count = 0;
  size_t dimensions = 0;
  size_t int_count = 0;     // in front of the items
  size_t int_item = 0;      // of an item; 0: there are none
  size_t double_count = 0;  // likewise
  size_t double_item = 0;

  consteval Operands(const char* view_words, const char* int_words, const char* double_words)
      : views(view_words), ints(int_words), doubles(double_words) {
    for (Word w(views); w.next();) {
      for (size_t i = 0; i < w.room; ++i, ++view_count) {
        kinds[view_count] = w.kind;
        optional[view_count] = w.optional;
      }
    }
    for (Word w(ints); w.next();) {
      if (w.items != 0) {
        int_item = w.items;
      } else {
        if (w.kind == 'd' && w.plain_kind && dimensions++ != int_count) throw "dimensions come first";
        ++int_count;
      }
    }
    for (Word w(doubles); w.next();) {
      if (w.items != 0) {
        double_item = w.items;
      } else {
        double_count += w.room;
      }
    }
  }

  // What is wrong with so many of each, or nullptr. Of items there are whole ones.
  const char* refusal(size_t views_given, size_t ints_given, size_t doubles_given) const {
    if (views_given != view_count) return "wrong number of views";
    if (!fits(ints_given, int_count, int_item)) return "wrong number of integers";
    if (!fits(doubles_given, double_count, double_item)) return "wrong number of constants";
    return nullptr;
  }

  // Where the operand of that name stands. One that is not there does not compile.
  consteval size_t view(const char* name) const { return place_of(views, name); }
  consteval size_t integer(const char* name) const { return place_of(ints, name); }
  consteval size_t number(const char* name) const { return place_of(doubles, name); }

 private:
  static bool fits(size_t given, size_t plain, size_t item) {
    return item == 0 ? given == plain : given >= plain && (given - plain) % item == 0;
  }

  // One word after the other.
  struct Word {
    const char* at;
    const char* name = nullptr;
    size_t length = 0;        // of the name
    size_t room = 1;          // places that it takes
    size_t items = 0;         // of a list: the numbers of an item
    char kind = 0;            // first letter of what stands behind ':'
    bool plain_kind = false;  // and that it is a single one
    bool optional = false;

    consteval explicit Word(const char* words) : at(words) {}

    consteval bool next() {
      while (*at == ' ') ++at;
      if (*at == 0) return false;
      if (items != 0) throw "items come last";
      name = at;
      while (is_letter(*at)) ++at;
      length = static_cast<size_t>(at - name);
      if (length == 0) throw "a name is wanted";
      room = 1;
      kind = 0;
      optional = false;
      if (*at == '[') {
        room = static_cast<size_t>(at[1] - '0');
        if (at[2] != ']') throw "one digit in brackets is wanted";
        at += 3;
      }
      if (*at == ':') {
        kind = *++at;
        plain_kind = !is_letter(at[1]);
        while (is_letter(*at) || *at == '#') ++at;
      }
      if (*at == '?') {
        optional = true;
        while (*at != 0 && *at != ' ') ++at;
      }
      if (at[0] == '*' && at[1] == '(') {
        for (items = 1; *at != ')'; ++at) {
          if (*at == 0) throw "a list is not closed";
          if (*at == ',') ++items;
        }
        ++at;
      }
      if (*at != 0 && *at != ' ') throw "operands stand apart by spaces";
      return true;
    }
  };

  static consteval bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  }

  static consteval size_t place_of(const char* words, const char* wanted) {
    size_t place = 0;
    for (Word w(words); w.next(); place += w.room) {
      size_t i = 0;
      while (i < w.length && wanted[i] == w.name[i]) ++i;
      if (i == w.length && wanted[i] == 0) return place;
    }
    throw "no operand has this name";
  }
};

struct Operation {
  const char* name;
  Operands operands;
  bool in_place;  // the first written view may be exactly a read one
  void (*check)(const Arguments& arguments, Requirements& requirements);
  size_t (*scratch)(const Arguments& arguments, const KernelTable& kernels);  // bytes, or nullptr
  void (*run)(const Context& context, const Arguments& arguments);
};

// What is wrong with operands that stand in code instead of a program, as those of tests and benchmarks do; empty where
// nothing is. How long the views are nobody can say here.
inline std::string refusal(const Operation& operation, std::span<void* const> views, std::span<const int64_t> ints,
                           std::span<const double> doubles) {
  const Operands& operands = operation.operands;
  if (const char* wrong = operands.refusal(views.size(), ints.size(), doubles.size())) return wrong;
  for (size_t i = 0; i < views.size(); ++i) {
    if (views[i] == nullptr && !operands.optional[i]) return "view " + std::to_string(i) + " is missing";
  }
  Requirements requirements;
  operation.check({views.data(), ints.data(), doubles.data(), ints.size(), doubles.size()}, requirements);
  return requirements.error;
}

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

// Calls part(begin, end) over rows of `columns` elements, in pieces worth a thread.
template <typename Part>
void over_rows(const Context& context, size_t rows, size_t columns, const Part& part) {
  const size_t least = columns == 0 ? std::max<size_t>(rows, 1) : (kLeastElements + columns - 1) / columns;
  const size_t chunks = context.parallel.chunks(rows, least);
  context.parallel.run(chunks, [&](size_t chunk) {
    const size_t begin = rows * chunk / chunks;
    const size_t end = rows * (chunk + 1) / chunks;
    if (begin < end) part(begin, end);
  });
}

}  // namespace carillon
