#include "scatter.h"

#include <algorithm>
#include <utility>

namespace carillon {
namespace {

// An index and its place in the batch.
struct Entry {
  int32_t row;
  int32_t place;
};

// Sorts entries by their rows, which are below `limit`, those of a row as they stood; returns the list that has them.
Entry* sort_by_row(Entry* entries, Entry* other, size_t count, size_t limit) {
  constexpr size_t kBits = 11;
  constexpr size_t kDigits = size_t{1} << kBits;
  constexpr size_t kFew = 32;
  if (count <= kFew) {
    for (size_t i = 1; i < count; ++i) {
      const Entry entry = entries[i];
      size_t at = i;
      for (; at > 0 && entries[at - 1].row > entry.row; --at) entries[at] = entries[at - 1];
      entries[at] = entry;
    }
    return entries;
  }
  for (size_t shift = 0; shift < 32 && limit > size_t{1} << shift; shift += kBits) {
    uint32_t begins[kDigits] = {};
    for (size_t i = 0; i < count; ++i) ++begins[static_cast<uint32_t>(entries[i].row) >> shift & (kDigits - 1)];
    uint32_t before = 0;
    for (uint32_t& begin : begins) before += std::exchange(begin, before);
    for (size_t i = 0; i < count; ++i)
      other[begins[static_cast<uint32_t>(entries[i].row) >> shift & (kDigits - 1)]++] = entries[i];
    std::swap(entries, other);
  }
  return entries;
}

}  // namespace

void check_scatter(const Arguments& a, Requirements& r) {
  const int64_t bags = a.ints[ScatterAt::bags];
  if (bags < 0 || bags >= static_cast<int64_t>(Bags::count)) return r.fail("no such bags");
  if (a.ints[ScatterAt::columns] < 0 || a.ints[ScatterAt::width] < 1 || a.ints[ScatterAt::table_rows] < 0)
    return r.fail("bad columns");
  if (a.ints[ScatterAt::count] > 0x7FFFFFFF) return r.fail("too many indices");
  if (static_cast<Bags>(bags) == Bags::mean && a.views[ScatterAt::weights] != nullptr)
    return r.fail("a mean has no weights");
  const bool bagged = static_cast<Bags>(bags) != Bags::none;
  const bool listed = a.views[ScatterAt::ends] != nullptr;
  if (listed && !bagged) return r.fail("lists that are no bags");
  const size_t count = a.size(ScatterAt::count), width = a.size(ScatterAt::width);
  if (bagged && !listed && count % width != 0) return r.fail("a bag that is not whole");
  const size_t bag_count = listed ? a.size(ScatterAt::lists) : count / width;
  r.need(ScatterAt::gradient, bagged ? bag_count : count, a.size(ScatterAt::columns));
  r.need(ScatterAt::indices, count);
  r.need(ScatterAt::weights, count);
  r.need(ScatterAt::ends, bag_count);
}

// Two lists of entries, of which one becomes places and factors; rows, where their entries begin, the shares of bags,
// and of bags of any length which one each index is in.
size_t scratch_scatter(const Arguments& a, const KernelTable& /*kernels*/) {
  const size_t count = a.size(ScatterAt::count);
  const bool listed = a.views[ScatterAt::ends] != nullptr;
  const size_t bags =
      listed ? a.size(ScatterAt::lists) * sizeof(float) + count * sizeof(int32_t) : count * sizeof(float);
  return count * (2 * sizeof(Entry) + 2 * sizeof(int32_t)) + bags + sizeof(int32_t);
}

Scattered scatter(const Context& context, const Arguments& a) {
  const size_t room = a.size(ScatterAt::count), width = a.size(ScatterAt::width);
  const size_t table_rows = a.size(ScatterAt::table_rows);
  const auto bags = static_cast<Bags>(a.ints[ScatterAt::bags]);
  const auto* indices = a.view<const int32_t>(ScatterAt::indices);
  const auto* ends = a.view<const int32_t>(ScatterAt::ends);
  const IdLists lists{ends, ends == nullptr ? room / width : a.size(ScatterAt::lists), ends == nullptr ? width : room};
  if (!lists.fit(context, indices, table_rows, a.ints[ScatterAt::gaps] != 0)) return {};
  const size_t count = lists.entries();
  auto* const both = static_cast<Entry*>(context.scratch);
  auto* const rows = reinterpret_cast<int32_t*>(both + 2 * room);
  auto* const begins = rows + room;
  size_t kept = 0;
  for (size_t i = 0; i < count; ++i) {
    if (indices[i] >= 0 && indices[i] != a.ints[ScatterAt::padding])
      both[kept++] = {indices[i], static_cast<int32_t>(i)};
  }
  const Entry* const entries = sort_by_row(both, both + room, kept, table_rows);
  Entry* const other = entries == both ? both + room : both;
  auto* const places = reinterpret_cast<int32_t*>(other);
  auto* const factors = reinterpret_cast<float*>(places + room);
  const auto* weights = a.view<const float>(ScatterAt::weights);
  const bool factored = bags == Bags::mean || weights != nullptr;
  auto* const shares = reinterpret_cast<float*>(begins + room + 1);
  auto* const bag_of = ends == nullptr ? nullptr : reinterpret_cast<int32_t*>(shares + lists.count);
  const bool shared = bags == Bags::mean && weights == nullptr;
  for (size_t bag = 0; (shared || bag_of != nullptr) && bag < lists.count; ++bag) {
    const size_t begin = lists.begin(bag), end = lists.end(bag);
    if (shared) shares[bag] = bag_share(indices + begin, end - begin, a.ints[ScatterAt::padding]);
    if (bag_of != nullptr) std::fill(bag_of + begin, bag_of + end, static_cast<int32_t>(bag));
  }
  size_t touched = 0;
  for (size_t i = 0; i < kept; ++i) {
    const auto place = static_cast<size_t>(entries[i].place);
    const size_t bag = bag_of == nullptr ? place / width : static_cast<size_t>(bag_of[place]);
    places[i] = static_cast<int32_t>(bags == Bags::none ? place : bag);
    if (factored) factors[i] = weights != nullptr ? weights[place] : shares[bag];
    if (i != 0 && entries[i].row == entries[i - 1].row) continue;
    rows[touched] = entries[i].row;
    begins[touched++] = static_cast<int32_t>(i);
  }
  begins[touched] = static_cast<int32_t>(kept);
  return {kept, touched, rows, begins, places, factored ? factors : nullptr};
}

void sum_row(const Context& context, const Arguments& a, const Scattered& scattered, size_t i, float* y) {
  const auto begin = static_cast<size_t>(scattered.begins[i]);
  const auto end = static_cast<size_t>(scattered.begins[i + 1]);
  const float* factors = scattered.factors == nullptr ? nullptr : scattered.factors + begin;
  context.kernels.rows_sum_f32({a.view<const float>(ScatterAt::gradient), scattered.places + begin, factors,
                                end - begin, scattered.entries - begin, -1, y, a.size(ScatterAt::columns)});
}

}  // namespace carillon
