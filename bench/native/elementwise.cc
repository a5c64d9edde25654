// Suites `elementwise` and `dropout`: every kernel that streams over its arguments, in place where it may.
#include <algorithm>
#include <cstdio>
#include <memory>

#include "streams.h"

namespace carillon::bench {
namespace {

constexpr const char* kUnaryNames[] = {
#define X(name) #name,
#include "kernels/unary.def"
#undef X
};

constexpr const char* kBinaryNames[] = {
#define X(name) #name,
#include "kernels/binary.def"
#undef X
};

// `operation` on x, written in place, and on what else it reads. The views are [x, (b), y] for patterns {0, 1, 0} and
// {1, 1, 0}, where x is the updated array; ints begin with the count.
Entrant in_place(const Machine& machine, const Operation& operation, Pattern pattern, float* memory, size_t bytes,
                 const std::function<std::vector<int64_t>(int64_t)>& ints, const std::vector<double>& doubles) {
  const int arrays = pattern.arrays();
  const size_t count = array_count(bytes, arrays);
  std::vector<void*> views;
  float* x = array_at(memory, bytes, arrays, pattern.read);
  fill_noise(array_at(memory, bytes, arrays, 0), count);
  views.push_back(x);
  if (pattern.read == 1) views.push_back(array_at(memory, bytes, arrays, 0));
  views.push_back(x);
  auto call = std::make_shared<Call>(machine, operation, std::move(views), ints(static_cast<int64_t>(count)), doubles);
  return {[call] { (*call)(); }, x, count};
}

void measure_unary(StreamedSuite& suite, const Machine& machine) {
  for (int64_t function = 0; function < static_cast<int64_t>(Unary::count); ++function) {
    const Pattern pattern{0, 1, 0};
    suite.measure({kUnaryNames[function], pattern, [&, pattern, function](float* memory, size_t bytes, double& moved) {
                     moved = pattern.bytes() * static_cast<double>(array_count(bytes, 1));
                     return in_place(machine, op_unary, pattern, memory, bytes,
                                     [function](int64_t count) {
                                       return std::vector<int64_t>{count, function};
                                     },
                                     {});
                   }});
  }
}

Entrant binary_vectors(const Machine& machine, int64_t function, float* memory, size_t bytes, double& moved) {
  const Pattern pattern{1, 1, 0};
  moved = pattern.bytes() * static_cast<double>(array_count(bytes, pattern.arrays()));
  return in_place(machine, op_binary, pattern, memory, bytes,
                  [function](int64_t count) {
                    return std::vector<int64_t>{1, count, function, 0, 0};
                  },
                  {});
}

Entrant binary_scalar(const Machine& machine, int64_t function, float* memory, size_t bytes, double& moved) {
  const Pattern pattern{0, 1, 0};
  const size_t count = array_count(bytes, 1);
  moved = pattern.bytes() * static_cast<double>(count);
  auto scalar = std::make_shared<float>(0.75f);
  std::vector<void*> views{memory, scalar.get(), memory};
  auto call = std::make_shared<Call>(machine, op_binary, std::move(views),
                                     std::vector<int64_t>{1, static_cast<int64_t>(count), function, 0, 1});
  return {[call, scalar] { (*call)(); }, memory, count};
}

void measure_binary(StreamedSuite& suite, const Machine& machine) {
  for (int64_t function = 0; function < static_cast<int64_t>(Binary::count); ++function) {
    const std::string name = kBinaryNames[function];
    suite.measure({name + ", vectors", {1, 1, 0}, [&, function](float* memory, size_t bytes, double& moved) {
                     return binary_vectors(machine, function, memory, bytes, moved);
                   }});
    suite.measure({name + ", scalar", {0, 1, 0}, [&, function](float* memory, size_t bytes, double& moved) {
                     return binary_scalar(machine, function, memory, bytes, moved);
                   }});
  }
}

// A kernel that reads all of `memory` and writes little or nothing, or writes it and reads little.
Kernel one_array(const Machine& machine, std::string name, Pattern pattern, const Operation& operation, bool from,
                 const std::vector<double>& doubles) {
  return {std::move(name), pattern, [&machine, &operation, from, doubles](float* memory, size_t bytes, double& moved) {
            const size_t count = array_count(bytes, 1);
            moved = 4.0 * static_cast<double>(count);
            auto result = std::make_shared<float>();
            std::vector<void*> views{memory};
            if (from) views.push_back(result.get());
            auto call = std::make_shared<Call>(machine, operation, std::move(views),
                                               std::vector<int64_t>{static_cast<int64_t>(count)}, doubles);
            return Entrant{[call, result] { (*call)(); }};
          }};
}

void measure_copies(StreamedSuite& suite, const Machine& machine) {
  suite.measure(one_array(machine, "fill", {0, 0, 1}, op_fill, false, {0.5}));
  suite.measure(one_array(machine, "sum", {1, 0, 0}, op_sum, true, {}));
  suite.measure(one_array(machine, "sum_squares", {1, 0, 0}, op_sum_squares, true, {}));
  suite.measure({"copy", {1, 0, 1}, [&](float* memory, size_t bytes, double& moved) {
                   const auto count = static_cast<int64_t>(array_count(bytes, 2));
                   moved = 8.0 * static_cast<double>(count);
                   std::vector<void*> views{memory, array_at(memory, bytes, 2, 1)};
                   auto call = std::make_shared<Call>(machine, op_copy, std::move(views), std::vector<int64_t>{count});
                   return Entrant{[call] { (*call)(); }};
                 }});
  // A byte read and a float written an element: the bytes lie in the last fifth of the memory.
  suite.measure({"convert u8", {0, 0, 1}, [&](float* memory, size_t bytes, double& moved) {
                   const size_t count = bytes / 5 / kStreamStep * kStreamStep;
                   moved = 5.0 * static_cast<double>(count);
                   std::vector<void*> views{memory + count, memory};
                   auto call = std::make_shared<Call>(machine, op_convert, std::move(views),
                                                      std::vector<int64_t>{static_cast<int64_t>(count)},
                                                      std::vector<double>{1.0 / 255});
                   return Entrant{[call] { (*call)(); }};
                 }});
}

// Rows of `columns` elements. `values`: floats written a row beside the matrix, or in its place where `updated`.
struct RowKernel {
  const char* name;
  const Operation& operation;
  bool labels;
  bool gradient;  // takes the gradient of the losses
  bool updated;
  bool losses = false;  // writes one a row beside the gradient
};

Entrant over_rows(const Machine& machine, const RowKernel& kernel, size_t columns, float* memory, size_t bytes,
                  double& moved) {
  const size_t rows = array_count(bytes, 1) / columns;
  struct Side {
    std::vector<int32_t> labels;
    std::vector<float> values, losses;
  };
  auto side = std::make_shared<Side>();
  side->losses.resize(rows);
  for (size_t row = 0; row < rows; ++row) side->labels.push_back(static_cast<int32_t>(row * 7 % columns));
  side->values.resize(std::max(rows, columns), 1.0f);
  std::vector<void*> views{memory};
  if (kernel.labels) views.push_back(side->labels.data());
  if (kernel.gradient) views.push_back(side->values.data());
  views.push_back(kernel.updated ? static_cast<void*>(memory) : side->values.data());
  if (kernel.losses) views.push_back(side->losses.data());
  std::vector<int64_t> ints{static_cast<int64_t>(rows), static_cast<int64_t>(columns)};
  if (kernel.gradient) ints.push_back(0);
  const double cells = static_cast<double>(rows * columns) * (kernel.updated ? 8 : 4);
  const bool by_columns = &kernel.operation == &op_column_sum;
  const double beside =
      kernel.updated && !kernel.gradient ? 0.0 : 4.0 * static_cast<double>(by_columns ? columns : rows);
  moved = cells + beside + (kernel.labels ? 4.0 * static_cast<double>(rows) : 0.0);
  auto call = std::make_shared<Call>(machine, kernel.operation, std::move(views), std::move(ints));
  const std::function<void()> run = [call, side] { (*call)(); };
  if (!kernel.updated) return {run};
  return {run, memory, rows * columns};
}

void measure_rows(StreamedSuite& suite, const Machine& machine) {
  const RowKernel kernels[] = {
      {"row_sum", op_row_sum, false, false, false},
      {"column_sum", op_column_sum, false, false, false},
      {"argmax", op_argmax, false, false, false},
      {"softmax", op_softmax, false, false, true},
      {"log_softmax", op_log_softmax, false, false, true},
      {"softmax_cross_entropy", op_softmax_cross_entropy, true, false, false},
      {"softmax_cross_entropy_gradient", op_softmax_cross_entropy_gradient, true, true, true},
      {"softmax_cross_entropy_both", op_softmax_cross_entropy_both, true, true, true, true},
  };
  for (const RowKernel& kernel : kernels) {
    for (const size_t columns : {size_t{10}, size_t{1000}}) {
      const Pattern pattern = kernel.updated ? Pattern{0, 1, 0} : Pattern{1, 0, 0};
      suite.measure({std::string(kernel.name) + ", rows of " + std::to_string(columns), pattern,
                     [&, columns](float* memory, size_t bytes, double& moved) {
                       return over_rows(machine, kernel, columns, memory, bytes, moved);
                     }});
    }
  }
}

// A normalization of [rows, columns], forward or backward, by rows or by columns. Bytes are the least that it moves: of
// rows forward a read and a write an element, backward two reads and a write; of columns forward three reads and a
// write, backward four reads and a write. The pattern reads and writes in the same mix.
struct NormKernel {
  const char* name;
  const Operation& operation;
  Pattern pattern;
  bool gradient;
  bool by_rows;
};

// Columns of a matrix, and the groups of a row that are normalized one by one, with or without a mean.
struct NormShape {
  const char* name;
  size_t columns;
  size_t groups;
  bool centered;
};

Entrant normalization(const Machine& machine, const NormKernel& kernel, const NormShape& shape, float* memory,
                      size_t bytes, double& moved) {
  const size_t columns = shape.columns;
  const size_t rows = array_count(bytes, 2) / columns;
  moved = 4.0 * static_cast<double>(rows * columns) *
          (kernel.pattern.read + 2 * kernel.pattern.updated + kernel.pattern.written);
  struct Side {
    std::vector<float> scale, shift, first, second;
  };
  auto side = std::make_shared<Side>();
  side->scale.resize(columns, 1.0f);
  side->shift.resize(2 * columns, 0.5f);
  side->first.resize(std::max(rows * shape.groups, columns), 1.0f);
  side->second.resize(std::max(rows * shape.groups, columns), 0.25f);
  float* x = memory;
  float* y = array_at(memory, bytes, 2, 1);
  float *scale = side->scale.data(), *shift = side->shift.data();
  float *first = side->first.data(), *second = side->second.data();
  std::vector<void*> views;
  std::vector<int64_t> ints{static_cast<int64_t>(rows), static_cast<int64_t>(columns)};
  if (kernel.by_rows) {
    ints.push_back(static_cast<int64_t>(shape.groups));
    float* mean = shape.centered ? second : nullptr;
    views = {x, scale, shape.centered ? shift : nullptr, y, first, mean};
    if (kernel.gradient) views = {x, y, scale, first, mean, y, shift, shape.centered ? shift + columns : nullptr};
  } else if (kernel.gradient) {
    ints.push_back(0);
    views = {x, y, scale, first, second, y, shift, shift + columns};
  } else {
    views = {x, scale, shift, nullptr, nullptr, y, first, second};
  }
  std::vector<double> doubles;
  if (!kernel.gradient) {
    ints.insert(ints.end(), {-1, -1, 0});  // nothing follows
    doubles = {1e-5, 1, 1};
  } else if (!kernel.by_rows) {
    doubles = {1e-5};
  }
  auto call = std::make_shared<Call>(machine, kernel.operation, std::move(views), std::move(ints), doubles);
  const std::function<void()> run = [call, side] { (*call)(); };
  if (kernel.gradient) return {run, y, rows * columns};
  return {run};
}

void measure_normalizations(StreamedSuite& suite, const Machine& machine) {
  const NormKernel kernels[] = {
      {"row_norm", op_row_norm, {1, 0, 1}, false, true},
      {"row_norm_gradient", op_row_norm_gradient, {1, 1, 0}, true, true},
      {"column_norm", op_column_norm, {3, 0, 1}, false, false},
      {"column_norm_gradient", op_column_norm_gradient, {3, 1, 0}, true, false},
  };
  const NormShape shapes[] = {
      {"rows of 64", 64, 1, true},       {"rows of 512", 512, 1, true},    {"rows of 30", 30, 1, true},
      {"rows of 100", 100, 1, true},     {"rows of 4096", 4096, 1, true},  {"no mean, rows of 512", 512, 1, false},
      {"32 groups of 4", 128, 32, true}, {"8 groups of 32", 256, 8, true},
  };
  constexpr size_t kOfColumns = 2;  // the first, by columns too
  for (const NormKernel& kernel : kernels) {
    for (const NormShape& shape : std::span(shapes).first(kernel.by_rows ? std::size(shapes) : kOfColumns)) {
      suite.measure({std::string(kernel.name) + ", " + shape.name, kernel.pattern,
                     [&](float* memory, size_t bytes, double& moved) {
                       return normalization(machine, kernel, shape, memory, bytes, moved);
                     }});
    }
  }
  suite.measure(
      {"scale_shift, rows of 512", {1, 0, 1}, [&](float* memory, size_t bytes, double& moved) {
         constexpr size_t columns = 512;
         const size_t rows = array_count(bytes, 2) / columns;
         moved = 8.0 * static_cast<double>(rows * columns);
         auto side = std::make_shared<std::vector<float>>(2 * columns, 0.5f);
         std::vector<void*> views{memory, side->data(), side->data() + columns, array_at(memory, bytes, 2, 1)};
         auto call = std::make_shared<Call>(machine, op_scale_shift, std::move(views),
                                            std::vector<int64_t>{static_cast<int64_t>(rows), columns, -1, -1, 0},
                                            std::vector<double>{1, 1});
         return Entrant{[call, side] { (*call)(); }};
       }});
}

// Rows of kAxisColumns elements, in groups of kAxisRows where an axis lies in the middle.
constexpr size_t kAxisColumns = 128;
constexpr size_t kAxisRows = 8;

// An operation that moves or combines elements along axes: `arrays` arrays of [groups, kAxisRows, kAxisColumns], the
// last of which it writes. A call moves `bytes` an element.
struct AxisKernel {
  const char* name;
  const Operation& operation;
  Pattern pattern;
  double bytes;
  std::vector<int64_t> (*ints)(int64_t groups);
};

Entrant over_axes(const Machine& machine, const AxisKernel& kernel, float* memory, size_t bytes, double& moved) {
  const int arrays = kernel.pattern.arrays();
  const size_t groups = array_count(bytes, arrays) / (kAxisRows * kAxisColumns);
  const size_t count = groups * kAxisRows * kAxisColumns;
  moved = kernel.bytes * static_cast<double>(count);
  std::vector<void*> views;
  views.reserve(static_cast<size_t>(arrays) + 1);
  for (int array = 0; array < arrays; ++array) views.push_back(array_at(memory, bytes, arrays, array));
  if (&kernel.operation == &op_where) views.insert(views.begin() + 2, views[1]);  // both choices are one array
  auto call =
      std::make_shared<Call>(machine, kernel.operation, std::move(views), kernel.ints(static_cast<int64_t>(groups)));
  return {[call] { (*call)(); }};
}

void measure_axes(StreamedSuite& suite, const Machine& machine) {
  constexpr int64_t rows = kAxisRows, columns = kAxisColumns, group = rows * columns;
  const AxisKernel kernels[] = {
      {"transpose, [groups·8, 128]",
       op_transpose,
       {1, 0, 1},
       8,
       [](int64_t groups) {
         return std::vector<int64_t>{1, columns, 1, groups * rows, columns};
       }},
      {"transpose, [groups, 8, 128] by groups",
       op_transpose,
       {1, 0, 1},
       8,
       [](int64_t groups) {
         return std::vector<int64_t>{groups, columns, 1, rows, columns};
       }},
      {"slice, all of 128",
       op_slice,
       {1, 0, 1},
       8,
       [](int64_t groups) {
         return std::vector<int64_t>{groups * rows, columns, 0, columns};
       }},
      {"pad, nothing around 128",
       op_pad,
       {1, 0, 1},
       8,
       [](int64_t groups) {
         return std::vector<int64_t>{groups * rows, columns, 0, 0};
       }},
      {"where",
       op_where,
       {2, 0, 1},
       12,
       [](int64_t groups) {
         return std::vector<int64_t>{groups * group, 1, 1, 1};
       }},
      {"add, a row of each group over its rows",
       op_binary_spread,
       {2, 0, 1},
       8.5,
       [](int64_t groups) {
         return std::vector<int64_t>{
             groups, static_cast<int64_t>(Binary::add), group, group, rows, columns, 0, columns, 1, 1};
       }},
  };
  for (const AxisKernel& kernel : kernels) {
    suite.measure({kernel.name, kernel.pattern, [&](float* memory, size_t bytes, double& moved) {
                     return over_axes(machine, kernel, memory, bytes, moved);
                   }});
  }
}

// Rows × columns as one row; a site, masks of single rows, no array of the batch.
std::vector<int64_t> mask_ints(int64_t count) { return {1, count, 1, 1, 0}; }
// And no schedule of the rate.
std::vector<int64_t> dropout_ints(int64_t count) { return {1, count, 1, 1, 0, 0}; }

}  // namespace

void run_elementwise(const Machine& machine, const Options& options) {
  StreamedSuite suite(machine, options);
  measure_unary(suite, machine);
  measure_binary(suite, machine);
  measure_copies(suite, machine);
  measure_rows(suite, machine);
  measure_normalizations(suite, machine);
  measure_axes(suite, machine);
  measure_moves(suite, machine);
}

// Forward in place; backward is the same kernel on the gradient, its mask drawn again, or after ReLU the sign of the
// output alone. A keep of 0.5 needs no ties of the 8-bit threshold, 0.8 and 0.9 do.
void run_dropout(const Machine& machine, const Options& options) {
  StreamedSuite suite(machine, options);
  const Pattern pattern{0, 1, 0};
  const auto masked = [&](const std::string& name, const Operation& operation, const std::vector<double>& doubles) {
    suite.measure({name, pattern, [&, doubles](float* memory, size_t bytes, double& moved) {
                     moved = pattern.bytes() * static_cast<double>(array_count(bytes, 1));
                     const auto ints = &operation == &op_dropout ? dropout_ints : mask_ints;
                     return in_place(machine, operation, pattern, memory, bytes, ints, doubles);
                   }});
  };
  for (const double keep : {0.5, 0.8, 0.9, 0.3}) {
    char name[32];
    std::snprintf(name, sizeof name, "dropout, keep %g", keep);
    masked(name, op_dropout, {keep, 1 / keep, 0, 0});
  }
  // Alpha dropout at keep 0.9 shifts what is kept and drops to another number than 0.
  masked("alpha dropout, keep 0.9", op_dropout, {0.9, 0.88, 0.15, -1.4});
  masked("noise", op_noise, {0.5});
  for (const Binary function : {Binary::relu_gradient, Binary::tanh_gradient}) {
    const auto index = static_cast<int64_t>(function);
    suite.measure({std::string("backward, ") + kBinaryNames[index],
                   {1, 1, 0},
                   [&, index](float* memory, size_t bytes, double& moved) {
                     return binary_vectors(machine, index, memory, bytes, moved);
                   }});
  }
}

}  // namespace carillon::bench
