#include "scatter.h"

#include <algorithm>
#include <bit>
#include <numeric>
#include <utility>

namespace carillon {
namespace {

constexpr size_t kLeastEntries = 2048;  // worth a thread
constexpr size_t kMostShares = 4;
constexpr size_t kSamples = 64;  // by which rows are divided
constexpr int kDigitBits = 11;   // at most
constexpr size_t kFew = 32;

// An entry is a number: the row of a look-up, and below it its place in the batch.
struct Packing {
  int row_bits;
  int place_bits;

  template <class Entry>
  Entry pack(uint32_t row, size_t place) const {
    return static_cast<Entry>(row) << place_bits | static_cast<Entry>(place);
  }
  template <class Entry>
  int32_t row(Entry entry) const {
    return static_cast<int32_t>(entry >> place_bits);
  }
  template <class Entry>
  size_t place(Entry entry) const {
    return static_cast<size_t>(entry & ((Entry{1} << place_bits) - 1));
  }
};

// Moves entries to `to` by the digit above `shift` bits, those of one digit as they stood.
template <class Entry>
void move_by_digit(const Entry* entries, size_t count, int shift, int digit, Entry* to) {
  uint32_t places[size_t{1} << kDigitBits];
  const uint32_t mask = (uint32_t{1} << digit) - 1;
  const auto digit_of = [&](Entry entry) { return static_cast<uint32_t>(entry >> shift) & mask; };
  std::fill_n(places, size_t{mask} + 1, 0u);
  for (size_t i = 0; i < count; ++i) ++places[digit_of(entries[i])];
  uint32_t before = 0;
  for (size_t i = 0; i <= mask; ++i) before += std::exchange(places[i], before);
  // Four at a time: a place is not looked up behind entries that are being written.
  size_t i = 0;
  for (; i + 4 <= count; i += 4) {
    const Entry own[] = {entries[i], entries[i + 1], entries[i + 2], entries[i + 3]};
    const uint32_t first = places[digit_of(own[0])]++, second = places[digit_of(own[1])]++;
    const uint32_t third = places[digit_of(own[2])]++, fourth = places[digit_of(own[3])]++;
    to[first] = own[0];
    to[second] = own[1];
    to[third] = own[2];
    to[fourth] = own[3];
  }
  for (; i < count; ++i) to[places[digit_of(entries[i])]++] = entries[i];
}

// Sorts entries by their rows, those of a row as they stood; returns the list that has them.
template <class Entry>
Entry* sort_by_row(const Packing& packing, Entry* entries, Entry* other, size_t count) {
  // Digits of one length: the fewer there are of them, the fewer places are written to in turns.
  const int passes = (packing.row_bits + kDigitBits - 1) / kDigitBits;
  for (int pass = 0; pass < passes; ++pass) {
    const int digit = (packing.row_bits + passes - 1) / passes;
    move_by_digit(entries, count, packing.place_bits + pass * digit, digit, other);
    std::swap(entries, other);
  }
  return entries;
}

template <class Entry>
void sort_few(Entry* entries, size_t count) {
  for (size_t i = 1; i < count; ++i) {
    const Entry entry = entries[i];
    size_t at = i;
    for (; at > 0 && entries[at - 1] > entry; --at) entries[at] = entries[at - 1];
    entries[at] = entry;
  }
}

// Threads have rows of their own, so that none writes between what another does: share i those from firsts[i] on, and
// its entries lie from begins[i] on.
struct Shares {
  size_t count = 1;
  uint32_t firsts[kMostShares + 1] = {};
  size_t begins[kMostShares + 1] = {};
};

// Puts look-ups together by rows.
class Scatterer {
 public:
  Scatterer(const Context& context, const LookUps& of, void* memory)
      : context_(context),
        of_(of),
        lists_(of.in_lists()),
        both_(static_cast<uint64_t*>(memory)),
        rows_(reinterpret_cast<int32_t*>(both_ + 2 * room(of.count))),
        begins_(rows_ + of.count),
        of_bags_(begins_ + of.count + 1),
        // Where no weight of an entry is wanted, its place is the row of the gradient at once.
        direct_(of.bags != Bags::none && of.weights == nullptr),
        shared_(has_share(of.bags)),
        numbered_(of.ends != nullptr && !direct_) {}

  // Of a list of entries, as each share may write one behind its last.
  static size_t room(size_t count) { return count + kMostShares; }

  Scattered run() {
    const auto bits_of = [](size_t count) { return static_cast<int>(std::bit_width(std::max<size_t>(count, 1) - 1)); };
    const size_t entries = lists_.entries();
    packing_ = {bits_of(of_.table_rows), bits_of(direct_ ? lists_.count : entries)};
    describe_bags();
    divide(entries);
    return packing_.row_bits + packing_.place_bits <= 32 ? by_row<uint32_t>() : by_row<uint64_t>();
  }

 private:
  // What each bag is multiplied by, or the list that each index is in.
  void describe_bags() {
    for (size_t bag = 0; (shared_ || numbered_) && bag < lists_.count; ++bag) {
      const size_t begin = lists_.begin(bag), end = lists_.end(bag);
      if (shared_) share_of_bags()[bag] = bag_share(of_.bags, of_.indices + begin, end - begin, of_.padding);
      if (numbered_) std::fill(of_bags_ + begin, of_bags_ + end, static_cast<int32_t>(bag));
    }
  }
  float* share_of_bags() const { return reinterpret_cast<float*>(of_bags_); }

  // Every share has about as many look-ups, as a sample of them tells.
  void divide(size_t entries) {
    const size_t threads = std::min<size_t>(kMostShares, context_.parallel.threads());
    shares_.count = std::min(threads, context_.parallel.chunks(entries, kLeastEntries));
    shares_.firsts[shares_.count] = static_cast<uint32_t>(std::min(of_.table_rows, kMostRows));
    if (shares_.count == 1) return;
    int32_t sample[kSamples];
    for (size_t i = 0; i < kSamples; ++i) sample[i] = std::max(0, of_.indices[entries * i / kSamples]);
    std::sort(sample, sample + kSamples);
    for (size_t i = 1; i < shares_.count; ++i)
      shares_.firsts[i] = static_cast<uint32_t>(sample[kSamples * i / shares_.count]);
    context_.parallel.run(shares_.count, [&](size_t share) {
      const uint32_t first = shares_.firsts[share], rows = shares_.firsts[share + 1] - first;
      size_t own = 1;
      for (size_t i = 0; i < entries; ++i) own += static_cast<uint32_t>(of_.indices[i]) - first < rows ? 1 : 0;
      shares_.begins[share + 1] = own;
    });
    std::partial_sum(shares_.begins, shares_.begins + shares_.count + 1, shares_.begins);
  }

  // The look-ups of a share, to `entries`; how many there are.
  template <class Entry>
  size_t list(size_t share, Entry* entries) const {
    const uint32_t first = shares_.firsts[share], rows = shares_.firsts[share + 1] - first;
    const auto padding = static_cast<uint32_t>(of_.padding);
    size_t kept = 0;
    for (size_t list = 0; list < lists_.count; ++list) {
      for (size_t i = lists_.begin(list), end = lists_.end(list); i < end; ++i) {
        const auto row = static_cast<uint32_t>(of_.indices[i]);
        entries[kept] = packing_.pack<Entry>(row, direct_ ? list : i);
        kept += row - first < rows && row != padding ? 1 : 0;
      }
    }
    return kept;
  }

  // The row of the gradient that flows back to a place.
  int32_t gradient_row(size_t place) const {
    if (direct_ || of_.bags == Bags::none) return static_cast<int32_t>(place);
    return numbered_ ? of_bags_[place] : static_cast<int32_t>(place / of_.width);
  }

  template <class Entry>
  Scattered by_row() {
    const Parallel& parallel = context_.parallel;
    auto* const listed = reinterpret_cast<Entry*>(both_);
    auto* const other = reinterpret_cast<Entry*>(both_ + room(of_.count));
    const bool few = lists_.entries() <= kFew;
    const Entry* sorted[kMostShares] = {};
    size_t entries[kMostShares + 1] = {}, touched[kMostShares + 1] = {};
    parallel.run(shares_.count, [&](size_t share) {
      const size_t begin = shares_.begins[share], kept = list(share, listed + begin);
      if (few) sort_few(listed + begin, kept);
      const Entry* const own = few ? listed + begin : sort_by_row(packing_, listed + begin, other + begin, kept);
      size_t rows = kept == 0 ? 0 : 1;
      for (size_t i = 1; i < kept; ++i) rows += packing_.row(own[i]) == packing_.row(own[i - 1]) ? 0 : 1;
      sorted[share] = own;
      entries[share + 1] = kept;
      touched[share + 1] = rows;
    });
    std::partial_sum(entries, entries + shares_.count + 1, entries);
    std::partial_sum(touched, touched + shares_.count + 1, touched);
    // Where the sorted entries are not there is room for two numbers of each.
    auto* const places = reinterpret_cast<int32_t*>(sorted[0] == listed ? other : listed);
    const bool factored = shared_ || of_.weights != nullptr;
    auto* const factors = factored ? reinterpret_cast<float*>(places + of_.count) : nullptr;
    parallel.run(shares_.count, [&](size_t share) {
      size_t row = touched[share];
      for (size_t i = entries[share]; i < entries[share + 1]; ++i) {
        const Entry* const own = sorted[share] + (i - entries[share]);
        const size_t place = packing_.place(*own);
        places[i] = gradient_row(place);
        if (factored) factors[i] = shared_ ? share_of_bags()[place] : of_.weights[place];
        if (i != entries[share] && packing_.row(own[0]) == packing_.row(own[-1])) continue;
        rows_[row] = packing_.row(*own);
        begins_[row++] = static_cast<int32_t>(i);
      }
    });
    const size_t rows = touched[shares_.count], kept = entries[shares_.count];
    begins_[rows] = static_cast<int32_t>(kept);
    return {of_, kept, rows, rows_, begins_, places, factors};
  }

  const Context& context_;
  const LookUps& of_;
  const IdLists lists_;
  uint64_t* const both_;  // two lists of entries
  int32_t* const rows_;
  int32_t* const begins_;
  int32_t* const of_bags_;
  const bool direct_, shared_, numbered_;
  Packing packing_{};
  Shares shares_;
};

}  // namespace

void check_scatter(const Arguments& a, Requirements& r) {
  if (a.ints[ScatterAt::columns] < 0 || a.ints[ScatterAt::table_rows] < 0) return r.fail("bad columns");
  check_look_ups<ScatterAt>(a, r, a.size(ScatterAt::columns));
}

size_t scratch_scatter(const Arguments& a, const KernelTable& /*kernels*/) { return scatter_bytes<ScatterAt>(a); }

// Two lists of entries, of which one becomes places and factors; rows, where their entries begin; and the shares of
// bags, or which one each index of lists is in.
size_t scatter_bytes(size_t count, size_t lists) {
  const size_t bags = std::max(lists, count) * sizeof(float);
  return Scatterer::room(count) * 2 * sizeof(uint64_t) + count * 2 * sizeof(int32_t) + bags + sizeof(int32_t);
}

Scattered scatter(const Context& context, const LookUps& of, void* memory) {
  if (!of.in_lists().fit(context, of.indices, of.table_rows, of.gaps)) return {};
  return Scatterer(context, of, memory).run();
}

}  // namespace carillon
