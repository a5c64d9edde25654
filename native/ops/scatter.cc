#include "scatter.h"

#include <algorithm>
#include <bit>
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
  constexpr int kBits = 11;  // of a digit at most
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
  // Digits of one length: the fewer there are of them, the fewer places are written to in turns.
  const int bits = std::min(32, static_cast<int>(std::bit_width(limit - 1)));
  const int passes = (bits + kBits - 1) / kBits;
  const int digit = passes == 0 ? 0 : (bits + passes - 1) / passes;
  const uint32_t mask = (uint32_t{1} << digit) - 1;
  for (int pass = 0; pass < passes; ++pass) {
    const int shift = pass * digit;
    uint32_t begins[size_t{1} << kBits];
    std::fill_n(begins, size_t{mask} + 1, 0u);
    for (size_t i = 0; i < count; ++i) ++begins[static_cast<uint32_t>(entries[i].row) >> shift & mask];
    uint32_t before = 0;
    for (size_t i = 0; i <= mask; ++i) before += std::exchange(begins[i], before);
    for (size_t i = 0; i < count; ++i)
      other[begins[static_cast<uint32_t>(entries[i].row) >> shift & mask]++] = entries[i];
    std::swap(entries, other);
  }
  return entries;
}

}  // namespace

void check_scatter(const Arguments& a, Requirements& r) {
  if (a.ints[ScatterAt::columns] < 0 || a.ints[ScatterAt::table_rows] < 0) return r.fail("bad columns");
  const bool listed = a.views[ScatterAt::ends] != nullptr;
  check_look_ups<ScatterAt>(a, r, a.size(ScatterAt::columns), listed);
  if (!listed) return;
  if (a.ints[ScatterAt::lists] > std::numeric_limits<int32_t>::max()) return r.fail("too many lists");
  if (static_cast<Bags>(a.ints[ScatterAt::bags]) == Bags::none) return r.fail("lists that are no bags");
  r.need(ScatterAt::gradient, a.size(ScatterAt::lists), a.size(ScatterAt::columns));
  r.need(ScatterAt::ends, a.size(ScatterAt::lists));
}

size_t scratch_scatter(const Arguments& a, const KernelTable& /*kernels*/) {
  const bool listed = a.views[ScatterAt::ends] != nullptr;
  return scatter_bytes(a.size(ScatterAt::count), listed ? a.size(ScatterAt::lists) : 0);
}

// Two lists of entries, of which one becomes places and factors; rows, where their entries begin, the shares of bags,
// and of bags of any length which one each index is in.
size_t scatter_bytes(size_t count, size_t lists) {
  const size_t bags = lists == 0 ? count * sizeof(float) : lists * sizeof(float) + count * sizeof(int32_t);
  return count * (2 * sizeof(Entry) + 2 * sizeof(int32_t)) + bags + sizeof(int32_t);
}

Scattered scatter(const Context& context, const LookUps& of, void* memory) {
  const auto [gradient, indices, weights, room, table_rows, columns, width, padding, bags, gaps, ends, list_count] = of;
  const IdLists lists{ends, ends == nullptr ? room / width : list_count, ends == nullptr ? width : room};
  if (!lists.fit(context, indices, table_rows, gaps)) return {};
  const size_t count = lists.entries();
  auto* const both = static_cast<Entry*>(memory);
  auto* const rows = reinterpret_cast<int32_t*>(both + 2 * room);
  auto* const begins = rows + room;
  // Where no weight of an entry is wanted, its place is the row of the gradient at once: dividing by the width later
  // takes as long as a pass of the sort.
  const bool direct = bags != Bags::none && weights == nullptr;
  size_t kept = 0;
  const auto keep = [&, ids = indices, left_out = padding](size_t begin, size_t end, size_t bag) {
    for (size_t i = begin; i < end; ++i) {
      if (ids[i] >= 0 && ids[i] != left_out) both[kept++] = {ids[i], static_cast<int32_t>(direct ? bag : i)};
    }
  };
  if (direct) {
    for (size_t bag = 0; bag < lists.count; ++bag) keep(lists.begin(bag), lists.end(bag), bag);
  } else {
    keep(0, count, 0);
  }
  const Entry* const entries = sort_by_row(both, both + room, kept, table_rows);
  Entry* const other = entries == both ? both + room : both;
  auto* const places = reinterpret_cast<int32_t*>(other);
  auto* const factors = reinterpret_cast<float*>(places + room);
  const bool factored = bags == Bags::mean || weights != nullptr;
  auto* const shares = reinterpret_cast<float*>(begins + room + 1);
  auto* const bag_of = ends == nullptr ? nullptr : reinterpret_cast<int32_t*>(shares + lists.count);
  const bool shared = bags == Bags::mean && weights == nullptr;
  for (size_t bag = 0; (shared || (bag_of != nullptr && !direct)) && bag < lists.count; ++bag) {
    const size_t begin = lists.begin(bag), end = lists.end(bag);
    if (shared) shares[bag] = bag_share(indices + begin, end - begin, padding);
    if (bag_of != nullptr) std::fill(bag_of + begin, bag_of + end, static_cast<int32_t>(bag));
  }
  size_t touched = 0;
  for (size_t i = 0; i < kept; ++i) {
    const auto place = static_cast<size_t>(entries[i].place);
    size_t bag = place;
    if (bags != Bags::none && !direct) bag = bag_of == nullptr ? place / width : static_cast<size_t>(bag_of[place]);
    places[i] = static_cast<int32_t>(bag);
    if (factored) factors[i] = weights != nullptr ? weights[place] : shares[bag];
    if (i != 0 && entries[i].row == entries[i - 1].row) continue;
    rows[touched] = entries[i].row;
    begins[touched++] = static_cast<int32_t>(i);
  }
  begins[touched] = static_cast<int32_t>(kept);
  return {of, kept, touched, rows, begins, places, factored ? factors : nullptr};
}

}  // namespace carillon
