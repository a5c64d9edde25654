// Rows of the suite `elementwise` that move, draw, count or look at elements.
#include <memory>

#include "streams.h"

namespace carillon::bench {
namespace {

constexpr int64_t kMovedColumns = 128;
constexpr int64_t kMovedRows = 8;

// `count` elements in each array of the pattern; what lies beside them is small.
struct Moves {
  float* memory;
  size_t bytes;
  int arrays;
  std::vector<int32_t>& integers;  // one an element, 0
  std::vector<float>& floats;      // likewise

  int64_t count() const { return static_cast<int64_t>(array_count(bytes, arrays)); }
  // Whole groups of kMovedRows rows of kMovedColumns.
  int64_t groups() const { return count() / (kMovedRows * kMovedColumns); }
  float* array(int index) const { return array_at(memory, bytes, arrays, index); }
};

struct Move {
  const char* name;
  const Operation& operation;
  Pattern pattern;
  double bytes;  // an element of an array
  std::vector<void*> (*views)(const Moves& moves);
  std::vector<int64_t> (*ints)(const Moves& moves);
  std::vector<double> doubles = {};
};

}  // namespace

void measure_moves(StreamedSuite& suite, const Machine& machine) {
  const Move moves[] = {
      {"axis_sum, [groups, 8, 128] over 8",
       op_axis_sum,
       {1, 0, 0},
       4 + 4.0 / kMovedRows,
       [](const Moves& moves) -> std::vector<void*> {
         return {moves.memory, moves.floats.data()};
       },
       [](const Moves& moves) -> std::vector<int64_t> {
         return {moves.groups(), kMovedRows, kMovedColumns};
       }},
      {"concat, twice 64 to 128",
       op_concat,
       {1, 0, 1},
       8,
       [](const Moves& moves) -> std::vector<void*> {
         std::vector<void*> views{moves.array(0), moves.array(0) + moves.count() / 2};
         views.resize(7);
         views.push_back(moves.array(1));
         return views;
       },
       [](const Moves& moves) -> std::vector<int64_t> {
         return {moves.groups() * kMovedRows, kMovedColumns / 2, kMovedColumns / 2};
       }},
      {"collect, rows of 128",
       op_collect,
       {1, 0, 1},
       8,
       [](const Moves& moves) -> std::vector<void*> {
         return {moves.array(0), moves.array(1)};
       },
       [](const Moves& moves) -> std::vector<int64_t> {
         return {moves.groups() * kMovedRows, kMovedColumns, moves.groups() * kMovedRows, 1};
       }},
      {"one_hot, 128 classes",
       op_one_hot,
       {0, 0, 1},
       4,
       [](const Moves& moves) -> std::vector<void*> {
         return {moves.integers.data(), moves.memory};
       },
       [](const Moves& moves) -> std::vector<int64_t> {
         return {moves.groups() * kMovedRows, kMovedColumns};
       }},
      {"count_equal",
       op_count_equal,
       {1, 0, 0},
       4,
       [](const Moves& moves) -> std::vector<void*> {
         return {moves.memory, moves.memory + moves.count() / 2, moves.floats.data()};
       },
       [](const Moves& moves) -> std::vector<int64_t> { return {moves.count() / 2}; }},
      {"expect_finite",
       op_expect_finite,
       {1, 0, 0},
       4,
       [](const Moves& moves) -> std::vector<void*> {
         fill_noise(moves.memory, static_cast<size_t>(moves.count()));
         std::vector<void*> views{moves.memory};
         views.resize(8);
         return views;
       },
       [](const Moves& moves) -> std::vector<int64_t> {
         return {0, 0, 0, 0, 1, 0, 0, 0, 0, -1, 0, 0, 0, moves.count(), 0};
       }},
      {"uniform",
       op_uniform,
       {0, 0, 1},
       4,
       [](const Moves& moves) -> std::vector<void*> { return {moves.memory}; },
       [](const Moves& moves) -> std::vector<int64_t> {
         return {moves.count(), 1, 2};
       },
       {-1.0, 1.0}},
      {"normal",
       op_normal,
       {0, 0, 1},
       4,
       [](const Moves& moves) -> std::vector<void*> { return {moves.memory}; },
       [](const Moves& moves) -> std::vector<int64_t> {
         return {moves.count(), 1, 2};
       },
       {0.0, 1.0}},
      {"permutation",
       op_permutation,
       {0, 0, 1},
       4,
       [](const Moves& moves) -> std::vector<void*> { return {moves.memory}; },
       [](const Moves& moves) -> std::vector<int64_t> {
         return {moves.count(), 1};
       }},
  };
  for (const Move& move : moves) {
    suite.measure({move.name, move.pattern, [&](float* memory, size_t bytes, double& moved) {
                     struct Side {
                       std::vector<int32_t> integers;
                       std::vector<float> floats;
                     };
                     const int arrays = move.pattern.arrays();
                     auto side = std::make_shared<Side>();
                     side->integers.resize(array_count(bytes, arrays));
                     side->floats.resize(array_count(bytes, arrays));
                     const Moves place{memory, bytes, arrays, side->integers, side->floats};
                     moved = move.bytes * static_cast<double>(place.count());
                     auto call = std::make_shared<Call>(machine, move.operation, move.views(place), move.ints(place),
                                                        move.doubles);
                     return Entrant{[call, side] { (*call)(); }};
                   }});
  }
}

}  // namespace carillon::bench
