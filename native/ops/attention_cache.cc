// Attention of new steps of sequences to all that came before, whose keys and values lie in memory that stays. A row is
// one step of any sequence, at a place that it names; its bits are those of the whole sequence at once.
#include <algorithm>

#include "attention.h"
#include "gemm_run.h"

namespace carillon {
namespace {

// Keys lie as the panels of products, values as rows: [slots, key_heads, room, size], the room of keys rounded up to
// whole panels.
struct CachedAt {
  static constexpr Operands all{"packed:f slots:i places:i rotation:f? keys:M values:M y:F",
                                "rows:d heads:i key_heads:i size:i slot_count:i room:i", "scale"};
  static constexpr size_t packed = all.view("packed"), slots = all.view("slots"), places = all.view("places"),
                          rotation = all.view("rotation"), keys = all.view("keys"), values = all.view("values"),
                          y = all.view("y");
  static constexpr size_t rows = all.integer("rows"), heads = all.integer("heads"),
                          key_heads = all.integer("key_heads"), size = all.integer("size"),
                          slot_count = all.integer("slot_count"), room = all.integer("room");
  static constexpr size_t scale = all.number("scale");
};

struct CachedSizes {
  size_t rows, heads, key_heads, size, slots, room;
  explicit CachedSizes(const Arguments& a)
      : rows(a.size(CachedAt::rows)),
        heads(a.size(CachedAt::heads)),
        key_heads(a.size(CachedAt::key_heads)),
        size(a.size(CachedAt::size)),
        slots(a.size(CachedAt::slot_count)),
        room(a.size(CachedAt::room)) {}
  size_t packed() const { return (heads + 2 * key_heads) * size; }
  size_t padded() const { return round_up(size, 16); }
  size_t key_floats() const { return round_up(room, kPackedColumns) * size; }
  size_t value_floats() const { return room * size; }
  // Of one unit of work: a query, its scores, and two rows of sums.
  size_t unit_floats() const { return round_up(size, 16) + round_up(room, 16) + 2 * padded(); }
};

constexpr size_t kMostRooms = 16;

void check_cached(const Arguments& a, Requirements& r) {
  for (const size_t i : {CachedAt::heads, CachedAt::key_heads, CachedAt::size, CachedAt::slot_count, CachedAt::room}) {
    if (a.ints[i] < 1 || a.ints[i] > (int64_t{1} << 24)) return r.fail("an attention of nothing");
  }
  const CachedSizes s(a);
  if (s.heads % s.key_heads != 0) return r.fail("heads are no multiple of those of the keys");
  if (a.views[CachedAt::rotation] != nullptr && s.size % 2 != 0) return r.fail("an odd size of heads is not turned");
  if (s.slots > (size_t{1} << 40) / s.key_heads / s.key_floats()) return r.fail("dimensions overflow");
  r.need(CachedAt::packed, s.rows, s.packed());
  r.need(CachedAt::slots, s.rows);
  r.need(CachedAt::places, s.rows);
  r.need(CachedAt::rotation, s.room, s.size);
  r.need(CachedAt::keys, s.slots * s.key_heads, s.key_floats());
  r.need(CachedAt::values, s.slots * s.key_heads, s.value_floats());
  r.need(CachedAt::y, s.rows, s.heads * s.size);
}

size_t scratch_cached(const Arguments& a, const KernelTable&) {
  return kMostRooms * CachedSizes(a).unit_floats() * sizeof(float);
}

// False, with the fault recorded, where a row names what is not there.
bool rows_fit(const Context& context, const Arguments& a, const CachedSizes& s) {
  const auto fits = [&](size_t view, size_t limit) {
    const auto* given = a.view<const int32_t>(view);
    for (size_t row = 0; row < s.rows; ++row) {
      if (given[row] >= 0 && static_cast<size_t>(given[row]) < limit) continue;
      if (context.fault.what == nullptr) context.fault = {"index", row, given[row], static_cast<int64_t>(limit)};
      return false;
    }
    return true;
  };
  return fits(CachedAt::slots, s.slots) && fits(CachedAt::places, s.room);
}

// Puts the key and the value of a row where they stay.
void keep(const Context& context, const Arguments& a, const CachedSizes& s, size_t row) {
  const auto slot = static_cast<size_t>(a.view<const int32_t>(CachedAt::slots)[row]);
  const auto place = static_cast<size_t>(a.view<const int32_t>(CachedAt::places)[row]);
  const float* const packed = a.view<const float>(CachedAt::packed) + row * s.packed();
  const auto* rotation = a.view<const float>(CachedAt::rotation);
  const size_t columns = context.kernels.gemm_columns;
  for (size_t head = 0; head < s.key_heads; ++head) {
    const float* const key = packed + (s.heads + head) * s.size;
    const float* const value = packed + (s.heads + s.key_heads + head) * s.size;
    const size_t of = slot * s.key_heads + head;
    float* const to =
        a.view<float>(CachedAt::keys) + of * s.key_floats() + place / columns * columns * s.size + place % columns;
    if (rotation == nullptr) {
      for (size_t p = 0; p < s.size; ++p) to[p * columns] = key[p];
    } else {
      turn(key, rotation + place * s.size, 1.0f, to, s.size, columns);
    }
    float* const kept = a.view<float>(CachedAt::values) + of * s.value_floats() + place * s.size;
    std::copy_n(value, s.size, kept);
  }
}

// A head of a row: its query to all keys that came before, and its own.
void look(const Context& context, const Arguments& a, const CachedSizes& s, size_t row, size_t head, float* memory) {
  const KernelTable& kernels = context.kernels;
  const auto slot = static_cast<size_t>(a.view<const int32_t>(CachedAt::slots)[row]);
  const auto place = static_cast<size_t>(a.view<const int32_t>(CachedAt::places)[row]);
  const auto* rotation = a.view<const float>(CachedAt::rotation);
  const auto scale = static_cast<float>(a.doubles[CachedAt::scale]);
  const size_t count = place + 1;
  float* const query = memory;
  float* const scores = query + round_up(s.size, 16);
  float* const sum = scores + round_up(s.room, 16);
  const float* const from = a.view<const float>(CachedAt::packed) + row * s.packed() + head * s.size;
  if (rotation == nullptr) {
    for (size_t p = 0; p < s.size; ++p) query[p] = from[p] * scale;
  } else {
    turn(from, rotation + place * s.size, scale, query, s.size, 1);
  }
  const size_t of = slot * s.key_heads + head / (s.heads / s.key_heads);
  GemmTask task{};
  task.left = query;
  task.left_row_stride = s.size;
  task.left_depth_stride = 1;
  task.right = a.view<const float>(CachedAt::keys) + of * s.key_floats();
  task.right_packed = true;
  task.rows = 1;
  task.columns = count;
  task.k = s.size;
  task.c = scores;
  task.c_stride = count;
  task.group = 1;
  kernels.gemm_f32(task, 0, 1, 0, tiles_of(count, kernels.gemm_columns));
  kernels.attention_softmax_f32(scores, {1, count, count, count, count, 1}, nullptr, nullptr);
  AttentionProduct product{};
  product.left_step_stride = 1;
  product.right_stride = s.size;
  product.c_stride = s.padded();
  product.rows = 1;
  product.columns = s.size;
  product.delay = -1;
  for (size_t begin = 0; begin < count; begin += kDepthChunk) {
    product.left = scores + begin;
    product.right = a.view<const float>(CachedAt::values) + of * s.value_floats() + begin * s.size;
    product.steps = std::min(count - begin, kDepthChunk);
    product.ahead = static_cast<ptrdiff_t>(product.steps);
    product.c = begin == 0 ? sum : sum + s.padded();
    kernels.attention_product_f32(product);
    if (begin == 0) continue;
    for (size_t p = 0; p < s.size; ++p) sum[p] += product.c[p];
  }
  std::copy_n(sum, s.size, a.view<float>(CachedAt::y) + (row * s.heads + head) * s.size);
}

void run_cached(const Context& context, const Arguments& a) {
  const CachedSizes s(a);
  if (s.rows == 0 || !rows_fit(context, a, s)) return;
  for (size_t row = 0; row < s.rows; ++row) keep(context, a, s, row);
  const size_t units = s.rows * s.heads;
  size_t flops = 0;
  for (size_t row = 0; row < s.rows; ++row) {
    flops += 4 * s.heads * s.size * (static_cast<size_t>(a.view<const int32_t>(CachedAt::places)[row]) + 1);
  }
  const size_t chunks = std::min({context.parallel.chunks(flops, kLeastFlops), kMostRooms, units});
  context.parallel.run(chunks, [&](size_t chunk) {
    float* const memory = static_cast<float*>(context.scratch) + chunk * s.unit_floats();
    for (size_t unit = units * chunk / chunks; unit < units * (chunk + 1) / chunks; ++unit) {
      look(context, a, s, unit / s.heads, unit % s.heads, memory);
    }
  });
}

}  // namespace

constinit const Operation op_attention_cached{"attention_cached", CachedAt::all,  false,
                                              check_cached,       scratch_cached, run_cached};

}  // namespace carillon
