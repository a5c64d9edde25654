// Attention: softmax(q·kᵀ·scale)·v of each example and head, without a matrix of all queries and keys. A block of
// queries holds all its scores; probabilities are made again on the way back, from the maximum and the sum of each row.
// Every element is that of the product, the softmax and the product by themselves: k is walked in order, in chunks of
// kDepthChunk, and a softmax is the same whether what it leaves out stands behind it or not.
#include <algorithm>
#include <cstring>

#include "../runtime/memory.h"
#include "attention.h"
#include "gemm_run.h"
#include "lengths.h"
#include "philox.h"

namespace carillon {
namespace {

// Floats of scores that a block holds, where a few rows do not hold more.
constexpr size_t kBlockScores = 16384;
// Tiles of rows of a block, where every row looks at one key more than the one before: what no row of a tile looks at
// is not computed.
constexpr size_t kGrowingTiles = 4;
// Units of work with room of their own, and floats of all rooms where two or more need no more.
constexpr size_t kMostRooms = 16;
constexpr size_t kRoomFloats = 1 << 22;

bool check_sizes(const AttentionSizes& s, Requirements& r) {
  for (const size_t size : {s.queries, s.keys, s.heads, s.key_heads, s.size}) {
    if (size < 1 || size > (size_t{1} << 24)) {
      r.fail("an attention of nothing");
      return false;
    }
  }
  if (s.heads % s.key_heads != 0) {
    r.fail("heads are no multiple of those of the keys");
    return false;
  }
  if (s.rows > (size_t{1} << 40) / s.queries / s.heads / s.size ||
      s.rows > (size_t{1} << 40) / s.keys / s.heads / s.size) {
    r.fail("dimensions overflow");
    return false;
  }
  return true;
}

// Memory of one unit of work, one part behind the other; without memory it tells how many floats that are.
struct Room {
  float* queries;     // [block, size], scaled, turned by their positions
  float* keys;        // [keys, size] turned, where they are; otherwise none
  float* key_panels;  // packed along their size
  float* scores;      // [block, keys]
  float* y;           // [block, padded]: chains
  float* y_more;      // of a chunk of k behind the first
  // Of the gradient:
  float* value_panels;
  float* flows;    // [block, keys]
  float* dropped;  // [block, keys]
  float* dkeys;    // [keys, padded]
  float* dvalues;
  float* dkeys_more;  // of a chunk of queries behind the first
  float* dvalues_more;
  float* dkeys_sum;  // of all heads that share them
  float* dvalues_sum;
  size_t block;
  size_t floats;

  Room(const AttentionSizes& s, const KernelTable& kernels, bool back, float* memory) {
    block = block_of(s, kernels);
    const size_t padded = s.padded();
    floats = 0;
    const auto take = [this, memory](size_t count) {
      float* const given = memory == nullptr ? nullptr : memory + floats;
      floats += round_up(count, kAlignment / sizeof(float));
      return given;
    };
    const size_t panels = round_up(s.keys, kPackedColumns) * s.size;
    queries = take(block * s.size);
    keys = take(s.turned ? s.keys * s.size : 0);
    key_panels = take(panels);
    scores = take(block * s.keys);
    y = take(block * padded);
    y_more = take(s.keys > kDepthChunk ? block * padded : 0);
    value_panels = take(back ? panels : 0);
    flows = take(back ? block * s.keys : 0);
    dropped = take(back && s.dropping() ? block * s.keys : 0);
    const size_t sums = back ? s.keys * padded : 0;
    dkeys = take(sums);
    dvalues = take(sums);
    dkeys_more = take(s.queries > kDepthChunk ? sums : 0);
    dvalues_more = take(s.queries > kDepthChunk ? sums : 0);
    dkeys_sum = take(s.heads > s.key_heads ? sums : 0);
    dvalues_sum = take(s.heads > s.key_heads ? sums : 0);
  }

  static size_t block_of(const AttentionSizes& s, const KernelTable& kernels) {
    const size_t tile = kernels.gemm_rows;
    const size_t most = s.causal ? kGrowingTiles : std::max<size_t>(kBlockScores / s.keys / tile, 2);
    return std::min(s.queries, most * tile);
  }
};

size_t rooms_of(const AttentionSizes& s, size_t units, size_t floats) {
  const size_t fit = std::max<size_t>(kRoomFloats / floats, 2);
  return std::max<size_t>(std::min({fit, kMostRooms, s.rows * units}), 1);
}

// ---- One example and head of the keys

// What both ways do with the keys and the queries of one head.
class Head {
 public:
  Head(const Context& context, const AttentionSizes& s, const AttentionOperands& given, const Room& room, size_t row,
       size_t key_head)
      : kernels_(context.kernels), s_(s), given_(given), room_(room), row_(row), key_head_(key_head) {
    length_ = given.lengths == nullptr ? s.keys : static_cast<size_t>(given.lengths[row]);
    queries_ = s.own && given.lengths != nullptr ? std::min(s.queries, length_) : s.queries;
    const float* keys = given.key + row * s.keys * given.key_stride + key_head * s.size;
    key_stride_ = given.key_stride;
    keys_ = keys;
    if (s.turned) {
      for (size_t j = 0; j < length_; ++j)
        turn(keys + j * given.key_stride, given.rotation + j * s.size, 1.0f, room.keys + j * s.size, s.size, 1);
      keys_ = room.keys;
      key_stride_ = s.size;
    }
    values_ = given.value + row * s.keys * given.value_stride + key_head * s.size;
    pack(keys_, key_stride_, room.key_panels);
  }

  size_t length() const { return length_; }
  // Queries that there are.
  size_t queries() const { return queries_; }
  const float* values() const { return values_; }

  // Packed along their size.
  void pack(const float* rows, size_t stride, float* panels) const {
    if (length_ == 0) return;
    kernels_.gemm_pack_right_f32(rows, stride, true, length_, s_.size, 0, tiles_of(length_, kernels_.gemm_columns),
                                 panels);
  }

  // Keys that the query before looks at, at most.
  size_t seen(size_t end) const { return s_.causal ? std::min(length_, end) : length_; }

  AttentionRows rows(size_t begin, size_t end) const {
    return {end - begin, s_.keys, s_.causal ? begin + 1 : length_, length_, s_.keys, s_.heads};
  }

  // room.queries, of [begin, end), as products take them.
  void take_queries(size_t head, size_t begin, size_t end) const {
    const float* from = given_.query + (row_ * s_.queries + begin) * given_.query_stride + head * s_.size;
    for (size_t i = begin; i < end; ++i, from += given_.query_stride) {
      float* const to = room_.queries + (i - begin) * s_.size;
      if (s_.turned) {
        turn(from, given_.rotation + i * s_.size, s_.scale, to, s_.size, 1);
      } else {
        scale(from, s_.scale, to);
      }
    }
  }

  // to(i, j) = Σ rows(i, p)·panels(p, j) for the queries [begin, end) and the keys that they look at.
  void score(const float* rows, size_t stride, const float* panels, size_t begin, size_t end, float* to) const {
    GemmTask task{};
    task.left = rows;
    task.left_row_stride = stride;
    task.left_depth_stride = 1;
    task.right = panels;
    task.right_packed = true;
    task.rows = end - begin;
    task.columns = seen(end);
    task.k = s_.size;
    task.c = to;
    task.c_stride = s_.keys;
    task.group = 1;
    const size_t tiles = tiles_of(task.rows, kernels_.gemm_rows);
    if (!s_.causal) return kernels_.gemm_f32(task, 0, tiles, 0, tiles_of(task.columns, kernels_.gemm_columns));
    for (size_t t = 0; t < tiles; ++t) {
      const size_t last = begin + tile_begin(task.rows, tiles, t + 1);
      kernels_.gemm_f32(task, t, t + 1, 0, tiles_of(seen(last), kernels_.gemm_columns));
    }
  }

  // room.y of [begin, end): Σ weights(i, j)·right(j) over the keys that a query looks at.
  void gather(const float* weights, const float* right, size_t right_stride, size_t begin, size_t end) const {
    AttentionProduct product{};
    product.left_row_stride = s_.keys;
    product.left_step_stride = 1;
    product.right_stride = right_stride;
    product.c_stride = s_.padded();
    product.rows = end - begin;
    product.columns = s_.size;
    product.delay = -static_cast<ptrdiff_t>(product.rows);
    const size_t seen_keys = seen(end);
    size_t from = 0;
    do {
      product.steps = std::min(seen_keys - from, kDepthChunk);
      product.left = weights + from;
      product.right = right + from * right_stride;
      product.ahead = static_cast<ptrdiff_t>(s_.causal ? begin + 1 : seen_keys) - static_cast<ptrdiff_t>(from);
      product.c = from == 0 ? room_.y : room_.y_more;
      kernels_.attention_product_f32(product);
      if (from != 0) add(room_.y, room_.y_more, product.rows * product.c_stride);
      from += kDepthChunk;
    } while (from < seen_keys);
  }

  // Adds weights(i, j)·right(i) of the queries [begin, end) to the chains of c(j).
  void spread(const float* weights, const float* right, size_t right_stride, size_t begin, size_t end, float* c) const {
    AttentionProduct product{};
    product.left = weights;
    product.left_row_stride = 1;
    product.left_step_stride = s_.keys;
    product.right = right;
    product.right_stride = right_stride;
    product.c = c;
    product.c_stride = s_.padded();
    product.rows = seen(end);
    product.columns = s_.size;
    product.steps = end - begin;
    const auto all = static_cast<ptrdiff_t>(product.rows + product.steps);
    product.delay = s_.causal ? -static_cast<ptrdiff_t>(begin) : -all;
    product.ahead = all;
    product.carried = true;
    kernels_.attention_product_f32(product);
  }

  // Probabilities of the queries [begin, end) of a head, or what flows to them, dropped out as they are drawn; from the
  // numbers of all elements of [batch, heads, queries, keys].
  void drop(const Context& context, const float* x, float* to, size_t head, size_t begin, size_t end) const {
    DropoutArguments arguments{};
    arguments.seed = context.registers.seed;
    arguments.step = context.registers.step;
    arguments.site = static_cast<uint32_t>(s_.site);
    arguments.threshold = dropout_threshold(s_.keep);
    arguments.scale = s_.keep_scale;
    const uint64_t example = row_ + (s_.batched ? context.registers.batch_offset : 0);
    const uint64_t first = ((example * s_.heads + head) * s_.queries + begin) * s_.keys;
    kernels_.dropout_f32(x, to, (end - begin) * s_.keys, first, arguments);
  }

  // y += x
  void add(float* y, const float* x, size_t count) const {
    kernels_.binary[static_cast<size_t>(Binary::add)].vector_vector(y, x, y, count);
  }

  // y = x·factor, of a head.
  void scale(const float* x, float factor, float* y) const {
    kernels_.binary[static_cast<size_t>(Binary::multiply)].vector_scalar(x, factor, y, s_.size);
  }

  // Turned back.
  static void turn_back(const float* x, const float* rotation, float scale, float* y, size_t size) {
    const size_t half = size / 2;
    for (size_t p = 0; p < half; ++p) {
      const float a = x[p] * scale, b = x[p + half] * scale;
      y[p] = a * rotation[p] + b * rotation[p + half];
      y[p + half] = b * rotation[p] - a * rotation[p + half];
    }
  }

 private:
  const KernelTable& kernels_;
  const AttentionSizes& s_;
  const AttentionOperands& given_;
  const Room& room_;
  size_t row_;
  size_t key_head_;
  size_t length_;
  size_t queries_;
  const float* keys_;
  size_t key_stride_;
  const float* values_;

 public:
  const float* keys() const { return keys_; }
  size_t key_stride() const { return key_stride_; }
};

// Calls part(unit, room) for all units, some of them at once.
template <typename Part>
void over_units(const Context& context, const AttentionSizes& s, size_t units, bool back, const Part& part) {
  const Room measured(s, context.kernels, back, nullptr);
  const size_t rooms = rooms_of(s, units / std::max<size_t>(s.rows, 1), measured.floats);
  const size_t flops = 2 * s.rows * s.heads * s.queries * s.keys * s.size * (back ? 5 : 2);
  const size_t chunks = std::min({context.parallel.chunks(flops, kLeastFlops), rooms, units});
  context.parallel.run(chunks, [&](size_t chunk) {
    const Room room(s, context.kernels, back, static_cast<float*>(context.scratch) + chunk * measured.floats);
    for (size_t unit = units * chunk / chunks; unit < units * (chunk + 1) / chunks; ++unit) part(unit, room);
  });
}

size_t scratch_of(const AttentionSizes& s, size_t units, const KernelTable& kernels, bool back) {
  const size_t floats = Room(s, kernels, back, nullptr).floats;
  return rooms_of(s, units, floats) * floats * sizeof(float);
}

// ---- attention

struct AttentionAt : AttentionWords {
  static constexpr Operands all{"query:f key:f? value:f? lengths:i? rotation:f? y:F maxima:F? sums:F?", ints, doubles};
  static constexpr size_t query = all.view("query"), key = all.view("key"), value = all.view("value"),
                          lengths = all.view("lengths"), rotation = all.view("rotation"), y = all.view("y"),
                          maxima = all.view("maxima"), sums = all.view("sums");
};

template <typename At>
AttentionOperands operands_of(const Arguments& a, const AttentionSizes& s) {
  AttentionOperands given{};
  given.query = a.view<const float>(At::query);
  given.lengths = a.view<const int32_t>(At::lengths);
  given.rotation = a.view<const float>(At::rotation);
  if (a.views[At::key] == nullptr) {
    given.key = given.query + s.heads * s.size;
    given.value = given.key + s.key_heads * s.size;
    given.query_stride = given.key_stride = given.value_stride = s.packed();
  } else {
    given.key = a.view<const float>(At::key);
    given.value = a.view<const float>(At::value);
    given.query_stride = s.heads * s.size;
    given.key_stride = given.value_stride = s.key_heads * s.size;
  }
  return given;
}

template <typename At>
bool check_operands(const Arguments& a, const AttentionSizes& s, Requirements& r) {
  if (!check_sizes(s, r)) return false;
  if ((a.views[At::key] == nullptr) != (a.views[At::value] == nullptr)) {
    r.fail("keys and values come together");
    return false;
  }
  const bool packed = a.views[At::key] == nullptr;
  if (packed && s.queries != s.keys) r.fail("as many keys as queries are packed");
  if (s.own && s.queries != s.keys) r.fail("lengths of keys end no other queries");
  if (a.views[At::rotation] != nullptr && s.size % 2 != 0) r.fail("an odd size of heads is not turned");
  if (!(s.keep >= 0 && s.keep <= 1)) r.fail("keep outside [0, 1]");
  r.need(At::query, s.rows * s.queries, packed ? s.packed() : s.heads * s.size);
  r.need(At::key, s.rows * s.keys, s.key_heads * s.size);
  r.need(At::value, s.rows * s.keys, s.key_heads * s.size);
  r.need(At::lengths, s.rows);
  r.need(At::rotation, std::max(s.queries, s.keys), s.size);
  r.need(At::maxima, s.rows * s.queries, s.heads);
  r.need(At::sums, s.rows * s.queries, s.heads);
  return true;
}

void check_attention(const Arguments& a, Requirements& r) {
  using At = AttentionAt;
  const AttentionSizes s = attention_sizes<At>(a);
  if (!check_operands<At>(a, s, r)) return;
  if ((a.views[At::maxima] == nullptr) != (a.views[At::sums] == nullptr)) r.fail("maxima and sums are kept together");
  r.need(At::y, s.rows * s.queries, s.heads * s.size);
}

// Parts of the queries of a head: several where there are few heads.
size_t parts_of(const AttentionSizes& s, size_t block) {
  if (s.heads >= kMostRooms) return 1;
  return std::min(tiles_of(s.queries, 4 * block), kMostRooms);
}

size_t scratch_attention(const Arguments& a, const KernelTable& kernels) {
  const AttentionSizes s = attention_sizes<AttentionAt>(a);
  return scratch_of(s, s.heads * parts_of(s, Room::block_of(s, kernels)), kernels, false);
}

// Queries [begin, end) of a head of an example.
void attend(const Context& context, const AttentionSizes& s, const Head& of, const Room& room, const Arguments& a,
            size_t row, size_t head, size_t begin, size_t end) {
  using At = AttentionAt;
  auto* y = a.view<float>(At::y);
  auto* maxima = a.view<float>(At::maxima);
  auto* sums = a.view<float>(At::sums);
  const size_t width = s.heads * s.size;
  const size_t live = std::min(end, of.queries());
  for (size_t from = begin; from < live; from += room.block) {
    const size_t to = std::min(live, from + room.block);
    of.take_queries(head, from, to);
    of.score(room.queries, s.size, room.key_panels, from, to, room.scores);
    const size_t kept = (row * s.queries + from) * s.heads + head;
    context.kernels.attention_softmax_f32(room.scores, of.rows(from, to), maxima == nullptr ? nullptr : maxima + kept,
                                          sums == nullptr ? nullptr : sums + kept);
    if (s.dropping()) of.drop(context, room.scores, room.scores, head, from, to);
    of.gather(room.scores, of.values(), s.value_stride, from, to);
    for (size_t i = from; i < to; ++i) {
      std::memcpy(y + (row * s.queries + i) * width + head * s.size, room.y + (i - from) * s.padded(),
                  s.size * sizeof(float));
    }
  }
  for (size_t i = std::max(begin, live); i < end; ++i) {
    std::memset(y + (row * s.queries + i) * width + head * s.size, 0, s.size * sizeof(float));
    const size_t kept = (row * s.queries + i) * s.heads + head;
    if (maxima != nullptr) maxima[kept] = sums[kept] = 0;
  }
}

void run_attention(const Context& context, const Arguments& a) {
  using At = AttentionAt;
  AttentionSizes s = attention_sizes<At>(a);
  s.turned = a.views[At::rotation] != nullptr;
  const AttentionOperands given = operands_of<At>(a, s);
  s.value_stride = given.value_stride;
  if (!lengths_fit(context, given.lengths, s.rows, s.keys)) return;
  const size_t parts = parts_of(s, Room::block_of(s, context.kernels));
  over_units(context, s, s.rows * s.heads * parts, false, [&](size_t unit, const Room& room) {
    const size_t row = unit / parts / s.heads, head = unit / parts % s.heads, part = unit % parts;
    const Head of(context, s, given, room, row, head / (s.heads / s.key_heads));
    attend(context, s, of, room, a, row, head, tile_begin(s.queries, parts, part),
           tile_begin(s.queries, parts, part + 1));
  });
}

// ---- attention_gradient

struct GradientAt : AttentionWords {
  static constexpr Operands all{
      "query:f key:f? value:f? lengths:i? rotation:f? maxima:f sums:f dy:f dquery:F dkey:F? dvalue:F?", ints, doubles};
  static constexpr size_t query = all.view("query"), key = all.view("key"), value = all.view("value"),
                          lengths = all.view("lengths"), rotation = all.view("rotation"), maxima = all.view("maxima"),
                          sums = all.view("sums"), dy = all.view("dy"), dquery = all.view("dquery"),
                          dkey = all.view("dkey"), dvalue = all.view("dvalue");
};

void check_gradient(const Arguments& a, Requirements& r) {
  using At = GradientAt;
  const AttentionSizes s = attention_sizes<At>(a);
  if (!check_operands<At>(a, s, r)) return;
  const bool packed = a.views[At::key] == nullptr;
  if ((a.views[At::dkey] == nullptr) != packed || (a.views[At::dvalue] == nullptr) != packed)
    return r.fail("what flows to keys and values stands as they do");
  r.need(At::dy, s.rows * s.queries, s.heads * s.size);
  r.need(At::dquery, s.rows * s.queries, packed ? s.packed() : s.heads * s.size);
  r.need(At::dkey, s.rows * s.keys, s.key_heads * s.size);
  r.need(At::dvalue, s.rows * s.keys, s.key_heads * s.size);
}

size_t scratch_gradient(const Arguments& a, const KernelTable& kernels) {
  const AttentionSizes s = attention_sizes<GradientAt>(a);
  return scratch_of(s, s.key_heads, kernels, true);
}

// Where gradients go.
struct Written {
  float* query;
  float* key;
  float* value;
  size_t query_stride, key_stride;
};

// All queries of a head back: to dquery, and to the sums of keys and values in the room.
void flow_back(const Context& context, const AttentionSizes& s, const Head& of, const Room& room, const Arguments& a,
               const Written& to, size_t row, size_t head) {
  using At = GradientAt;
  const size_t width = s.heads * s.size, padded = s.padded();
  const size_t sums = s.keys * padded;
  const float* dy = a.view<const float>(At::dy) + row * s.queries * width + head * s.size;
  const auto* rotation = a.view<const float>(At::rotation);
  std::memset(room.dkeys, 0, sums * sizeof(float));
  std::memset(room.dvalues, 0, sums * sizeof(float));
  for (size_t chunk = 0; chunk < of.queries(); chunk += kDepthChunk) {
    float* const dkeys = chunk == 0 ? room.dkeys : room.dkeys_more;
    float* const dvalues = chunk == 0 ? room.dvalues : room.dvalues_more;
    if (chunk != 0) {
      std::memset(dkeys, 0, sums * sizeof(float));
      std::memset(dvalues, 0, sums * sizeof(float));
    }
    const size_t chunk_end = std::min(of.queries(), chunk + kDepthChunk);
    for (size_t begin = chunk; begin < chunk_end; begin += room.block) {
      const size_t end = std::min(chunk_end, begin + room.block);
      const AttentionRows rows = of.rows(begin, end);
      const size_t kept = (row * s.queries + begin) * s.heads + head;
      of.take_queries(head, begin, end);
      of.score(room.queries, s.size, room.key_panels, begin, end, room.scores);
      context.kernels.attention_again_f32(room.scores, rows, a.view<const float>(At::maxima) + kept,
                                          a.view<const float>(At::sums) + kept);
      of.score(dy + begin * width, width, room.value_panels, begin, end, room.flows);
      if (s.dropping()) {
        // What no query of a block looks at is not computed, but dropped out as well.
        for (size_t i = begin; i < end; ++i) {
          const size_t seen = of.seen(i + 1);
          std::memset(room.flows + (i - begin) * s.keys + seen, 0, (s.keys - seen) * sizeof(float));
        }
        of.drop(context, room.scores, room.dropped, head, begin, end);
        of.drop(context, room.flows, room.flows, head, begin, end);
      }
      of.spread(s.dropping() ? room.dropped : room.scores, dy + begin * width, width, begin, end, dvalues);
      context.kernels.attention_back_f32(room.scores, room.flows, rows);
      of.spread(room.flows, room.queries, s.size, begin, end, dkeys);
      of.gather(room.flows, of.keys(), of.key_stride(), begin, end);
      for (size_t i = begin; i < end; ++i) {
        const float* const from = room.y + (i - begin) * padded;
        float* const into = to.query + (row * s.queries + i) * to.query_stride + head * s.size;
        if (rotation != nullptr) {
          Head::turn_back(from, rotation + i * s.size, s.scale, into, s.size);
        } else {
          of.scale(from, s.scale, into);
        }
      }
    }
    if (chunk != 0) {
      of.add(room.dkeys, dkeys, sums);
      of.add(room.dvalues, dvalues, sums);
    }
  }
  for (size_t i = of.queries(); i < s.queries; ++i)
    std::memset(to.query + (row * s.queries + i) * to.query_stride + head * s.size, 0, s.size * sizeof(float));
}

void run_gradient(const Context& context, const Arguments& a) {
  using At = GradientAt;
  AttentionSizes s = attention_sizes<At>(a);
  s.turned = a.views[At::rotation] != nullptr;
  const AttentionOperands given = operands_of<At>(a, s);
  s.value_stride = given.value_stride;
  if (!lengths_fit(context, given.lengths, s.rows, s.keys)) return;
  Written to{};
  to.query = a.view<float>(At::dquery);
  to.query_stride = given.query_stride;
  to.key_stride = given.key_stride;
  const bool packed = a.views[At::key] == nullptr;
  to.key = packed ? to.query + s.heads * s.size : a.view<float>(At::dkey);
  to.value = packed ? to.key + s.key_heads * s.size : a.view<float>(At::dvalue);
  const size_t group = s.heads / s.key_heads, padded = s.padded(), sums = s.keys * padded;
  over_units(context, s, s.rows * s.key_heads, true, [&](size_t unit, const Room& room) {
    const size_t row = unit / s.key_heads, key_head = unit % s.key_heads;
    const Head of(context, s, given, room, row, key_head);
    of.pack(of.values(), given.value_stride, room.value_panels);
    const float* dkeys = group == 1 ? room.dkeys : room.dkeys_sum;
    const float* dvalues = group == 1 ? room.dvalues : room.dvalues_sum;
    for (size_t each = 0; each < group; ++each) {
      flow_back(context, s, of, room, a, to, row, key_head * group + each);
      if (group == 1) break;
      if (each == 0) {
        std::memcpy(room.dkeys_sum, room.dkeys, sums * sizeof(float));
        std::memcpy(room.dvalues_sum, room.dvalues, sums * sizeof(float));
      } else {
        of.add(room.dkeys_sum, room.dkeys, sums);
        of.add(room.dvalues_sum, room.dvalues, sums);
      }
    }
    for (size_t j = 0; j < s.keys; ++j) {
      const size_t at = (row * s.keys + j) * to.key_stride + key_head * s.size;
      std::memcpy(to.value + at, dvalues + j * padded, s.size * sizeof(float));
      if (s.turned) {
        Head::turn_back(dkeys + j * padded, given.rotation + j * s.size, 1.0f, to.key + at, s.size);
      } else {
        std::memcpy(to.key + at, dkeys + j * padded, s.size * sizeof(float));
      }
    }
  });
}

}  // namespace

constinit const Operation op_attention{"attention",     AttentionAt::all,  false,
                                       check_attention, scratch_attention, run_attention};
constinit const Operation op_attention_gradient{"attention_gradient", GradientAt::all,  false,
                                                check_gradient,       scratch_gradient, run_gradient};

}  // namespace carillon
