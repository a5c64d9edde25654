// Suite `lookups`: rows of tables by number, forward, backward and in updates, each in turns with a loop that only
// loads and stores the same rows.
#include <algorithm>
#include <memory>

#include "streams.h"

namespace carillon::bench {
namespace {

// A row is kRowFloats floats; a bag has so many words, whose gradient is one row.
constexpr int64_t kColumns = kRowFloats;
constexpr int64_t kWords = 50;
constexpr size_t kLookUps = 12'800;

// What lies beside the tables.
struct Side {
  RowLists lists;
  std::vector<float> flows, sums, totals;
  std::vector<int32_t> rows, other_rows;
  int32_t count = 0, other_count = 0;
  float value = 0;

  Side(size_t table_rows, size_t look_ups)
      : lists(table_rows, look_ups), flows(look_ups * kRowFloats), sums(look_ups * kRowFloats) {
    fill_noise(flows.data(), flows.size());
    fill_noise(sums.data(), sums.size());
    rows.assign(lists.ascending(0), lists.ascending(0) + look_ups);
    count = static_cast<int32_t>(look_ups);
  }
};

// Arrays of a table each in `bytes` bytes of memory, and look-ups in them.
struct Place {
  float* memory;
  size_t bytes;
  int arrays;
  size_t table_rows() const { return array_count(bytes, arrays) / kRowFloats; }
  // Whole bags, of a small table half of its rows at most.
  int64_t look_ups() const {
    const size_t most = std::max<size_t>(kWords, std::min(kLookUps, table_rows() / 2));
    return static_cast<int64_t>(most) / kWords * kWords;
  }
  float* table(int array = 0) const { return array_at(memory, bytes, arrays, array); }
};

struct LookUp {
  const char* name;
  const Operation& operation;
  RowsPattern pattern;  // of the loop beside
  int arrays;
  std::vector<void*> (*views)(const Place& place, Side& side);
  std::vector<int64_t> (*ints)(const Place& place);
  std::vector<double> doubles = {};
  std::vector<double> lanes = {};
};

std::shared_ptr<Side> side_of(const Place& place) {
  return std::make_shared<Side>(place.table_rows(), static_cast<size_t>(place.look_ups()));
}

// A row of rows that are read (and written): bytes are those rows' alone, on both sides.
void measure(StreamedSuite& suite, const Machine& machine, const LookUp& kernel) {
  const auto moved_by = [&](const Place& place) {
    return kernel.pattern.row_bytes() * static_cast<double>(place.look_ups());
  };
  suite.measure({kernel.name,
                 {kernel.pattern.read, kernel.pattern.updated, 0},
                 [&](float* memory, size_t bytes, double& moved) {
                   const Place place{memory, bytes, kernel.arrays};
                   moved = moved_by(place);
                   // States are not negative: roots are taken of them.
                   fill_noise(place.table(), array_count(bytes, kernel.arrays));
                   for (int array = 1; array < kernel.arrays; ++array)
                     machine.kernels.fill_f32(place.table(array), 1.0f, array_count(bytes, kernel.arrays));
                   auto side = side_of(place);
                   auto call = std::make_shared<Call>(machine, kernel.operation, kernel.views(place, *side),
                                                      kernel.ints(place), kernel.doubles, kernel.lanes);
                   return Entrant{[call, side] { (*call)(); }};
                 },
                 [&](float* memory, size_t bytes, double& moved) {
                   const Place place{memory, bytes, kernel.arrays};
                   moved = moved_by(place);
                   auto side = side_of(place);
                   std::vector<float*> tables;
                   tables.reserve(static_cast<size_t>(kernel.arrays));
                   for (int array = 0; array < kernel.arrays; ++array) tables.push_back(place.table(array));
                   auto rows = std::make_shared<Entrant>(rows_entrant(machine, kernel.pattern, tables, side->lists));
                   return Entrant{[rows, side] { rows->run(); }};
                 }});
}

// Numbers of look_ups() behind the rule's.
std::vector<int64_t> update_ints(const Place& place, Optimizer rule, int64_t constants, int64_t scalars) {
  constexpr int64_t kTouched = 1;
  std::vector<int64_t> ints{place.look_ups(), 0, static_cast<int64_t>(rule), 0, constants, scalars, 0, 0, kTouched, 0};
  ints.insert(ints.end(), {kWords, -1, 1, 1});                                          // in bags, with gaps
  ints.insert(ints.end(), {0, static_cast<int64_t>(place.table_rows()), kColumns, 0});  // one segment
  return ints;
}

std::vector<double> update_doubles(std::vector<double> constants) {
  constexpr size_t kConstantRoom = 8;
  constexpr double kNoClip = 1e300;  // +infinity as a float
  constants.resize(kConstantRoom);
  constants.insert(constants.end(), {kNoClip, 0});
  constants.insert(constants.end(), 8, 0);
  return constants;
}

}  // namespace

void run_lookups(const Machine& machine, const Options& options) {
  StreamedSuite suite(machine, options);
  const LookUp kernels[] = {
      {"take",
       op_take,
       {1, 0},
       1,
       [](const Place& place, Side& side) -> std::vector<void*> {
         return {place.table(), side.lists.drawn(0), side.sums.data()};
       },
       [](const Place& place) -> std::vector<int64_t> {
         return {place.look_ups(), static_cast<int64_t>(place.table_rows()), kColumns, 1, -1, 0};
       }},
      {"bag of 50",
       op_bag,
       {1, 0},
       1,
       [](const Place& place, Side& side) -> std::vector<void*> {
         return {place.table(), side.lists.drawn(0), nullptr, nullptr, side.sums.data()};
       },
       [](const Place& place) -> std::vector<int64_t> {
         return {place.look_ups() / kWords, static_cast<int64_t>(place.table_rows()), kColumns, kWords, -1, 1};
       }},
      {"gather",
       op_gather,
       {1, 0},
       1,
       [](const Place& place, Side& side) -> std::vector<void*> {
         return {place.table(), side.lists.drawn(0), side.sums.data()};
       },
       [](const Place& place) -> std::vector<int64_t> {
         return {place.look_ups(), kColumns, static_cast<int64_t>(place.table_rows()), 0};
       },
       {1.0}},
      {"update sgd, by bags of 50",
       op_update,
       {0, 1},
       1,
       [](const Place& place, Side& side) -> std::vector<void*> {
         return {place.table(), side.flows.data(),   nullptr, nullptr, nullptr,    nullptr, nullptr, nullptr, nullptr,
                 nullptr,       side.lists.drawn(0), nullptr, nullptr, &side.value};
       },
       [](const Place& place) { return update_ints(place, Optimizer::sgd, 0, 0); },
       update_doubles({}),
       {1e-6}},
      {"update adagrad, by bags of 50",
       op_update,
       {0, 2},
       2,
       [](const Place& place, Side& side) -> std::vector<void*> {
         return {place.table(), side.flows.data(), place.table(1),      nullptr, nullptr, nullptr,    nullptr, nullptr,
                 nullptr,       nullptr,           side.lists.drawn(0), nullptr, nullptr, &side.value};
       },
       [](const Place& place) { return update_ints(place, Optimizer::adagrad, 2, 0); },
       update_doubles({1e-10, 0}),
       {1e-6}},
      {"update adam, by bags of 50",
       op_update,
       {0, 3},
       3,
       [](const Place& place, Side& side) -> std::vector<void*> {
         return {place.table(), side.flows.data(), place.table(1), place.table(2),      nullptr, nullptr, nullptr,
                 nullptr,       nullptr,           nullptr,        side.lists.drawn(0), nullptr, nullptr, &side.value};
       },
       [](const Place& place) { return update_ints(place, Optimizer::adam, 6, 2); },
       update_doubles({0.9, 0.1, 0.999, 0.001, 1e-8, 0}),
       {1e-6, 1.5, 30}},
      {"expect_finite, rows in place",
       op_expect_finite,
       {1, 0},
       1,
       [](const Place& place, Side& side) -> std::vector<void*> {
         return {place.table(), nullptr, nullptr, &side.count, side.rows.data(), nullptr, nullptr, nullptr};
       },
       [](const Place& place) -> std::vector<int64_t> {
         return {0,        0,
                 0,        0,
                 1,        place.look_ups(),
                 kColumns, 0,
                 0,        -1,
                 0,        0,
                 0,        static_cast<int64_t>(place.table_rows()) * kColumns,
                 0};
       }},
  };
  for (const LookUp& kernel : kernels) measure(suite, machine, kernel);
  // Of every row of a table, in bags of 50: the sums are written, and the list is sorted.
  suite.measure({"scatter_rows, bags of 50", {0, 0, 1}, [&](float* memory, size_t bytes, double& moved) {
                   const auto rows = static_cast<int64_t>(array_count(bytes, 1) / kRowFloats) / kWords * kWords;
                   const auto room = static_cast<size_t>(rows);
                   auto side = std::make_shared<Side>(room, room);
                   moved = 4.0 * kRowFloats * static_cast<double>(rows);
                   std::vector<void*> views{side->flows.data(), side->lists.drawn(0), nullptr, nullptr,
                                            &side->count,       side->rows.data(),    memory};
                   std::vector<int64_t> ints{rows, 0, rows, kColumns, kWords, -1, 1, 1};
                   auto call = std::make_shared<Call>(machine, op_scatter_rows, std::move(views), std::move(ints));
                   return Entrant{[call, side] { (*call)(); }};
                 }});
  suite.measure({"rows_squares", {1, 0, 0}, [&](float* memory, size_t bytes, double& moved) {
                   const size_t rows = array_count(bytes, 1) / kRowFloats;
                   auto side = std::make_shared<Side>(rows, rows);
                   moved = 4.0 * kRowFloats * static_cast<double>(rows);
                   std::vector<void*> views{&side->count, side->rows.data(), memory, &side->value};
                   std::vector<int64_t> ints{static_cast<int64_t>(rows), static_cast<int64_t>(rows), kColumns};
                   auto call = std::make_shared<Call>(machine, op_rows_squares, std::move(views), std::move(ints));
                   return Entrant{[call, side] { (*call)(); }};
                 }});
  // The whole gradient: mostly zeros that are written.
  suite.measure({"take_gradient, by bags of 50", {0, 0, 1}, [&](float* memory, size_t bytes, double& moved) {
                   const Place place{memory, bytes, 1};
                   auto side = side_of(place);
                   moved = 4.0 * kRowFloats * static_cast<double>(place.table_rows());
                   std::vector<void*> views{side->flows.data(), side->lists.drawn(0), nullptr, nullptr, memory};
                   std::vector<int64_t> ints{place.look_ups(), 0, static_cast<int64_t>(place.table_rows())};
                   ints.insert(ints.end(), {kColumns, kWords, -1, 1, 1});
                   auto call = std::make_shared<Call>(machine, op_take_gradient, std::move(views), std::move(ints));
                   return Entrant{[call, side] { (*call)(); }};
                 }});
  // Rows of a total, of which the part has every second: a part is read, the total read and written.
  suite.measure({"merge_rows", {1, 2, 0}, [&](float* memory, size_t bytes, double& moved) {
                   const size_t room = array_count(bytes, 2) / kRowFloats;
                   auto side = std::make_shared<Side>(2 * room, room / 2);
                   side->rows.resize(room / 2);
                   side->other_rows.resize(room);
                   for (size_t i = 0; i < room / 2; ++i) side->rows[i] = static_cast<int32_t>(2 * i);
                   for (size_t i = 0; i < room; ++i) side->other_rows[i] = static_cast<int32_t>(i);
                   side->count = static_cast<int32_t>(room / 2);
                   side->other_count = static_cast<int32_t>(room);
                   moved = 4.0 * kRowFloats * 1.5 * static_cast<double>(room);
                   std::vector<void*> views{&side->count,       side->rows.data(),       array_at(memory, bytes, 2, 0),
                                            &side->other_count, side->other_rows.data(), array_at(memory, bytes, 2, 1)};
                   std::vector<int64_t> ints{static_cast<int64_t>(room / 2), static_cast<int64_t>(room),
                                             static_cast<int64_t>(2 * room), kColumns};
                   auto call = std::make_shared<Call>(machine, op_merge_rows, std::move(views), std::move(ints));
                   return Entrant{[call, side] { (*call)(); }};
                 }});
}

}  // namespace carillon::bench
