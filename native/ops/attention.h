// What attentions are told: sizes, and where their operands lie.
#pragma once

#include "operation.h"

namespace carillon {

// `causal`: a query looks at the keys up to its own place. `own`: lengths end the queries, too. `site`: the place that
// drops probabilities, −1 none; `batched`: examples count from the start of the optimizer batch.
struct AttentionWords {
  static constexpr const char* ints =
      "rows:d queries:i keys:i heads:i key_heads:i size:i causal:b? own:b? batched:b? site:i?-1";
  static constexpr const char* doubles = "scale keep?1 keep_scale?1";
  static constexpr Operands words{"", ints, doubles};
  static constexpr size_t rows = words.integer("rows"), queries = words.integer("queries"),
                          keys = words.integer("keys"), heads = words.integer("heads"),
                          key_heads = words.integer("key_heads"), size = words.integer("size"),
                          causal = words.integer("causal"), own = words.integer("own"),
                          batched = words.integer("batched"), site = words.integer("site");
  static constexpr size_t scale = words.number("scale"), keep = words.number("keep"),
                          keep_scale = words.number("keep_scale");
};

struct AttentionSizes {
  size_t rows, queries, keys, heads, key_heads, size;
  bool causal, own, batched;
  int64_t site;
  float scale;
  double keep;
  float keep_scale;
  bool turned = true;       // queries and keys are turned by their positions; room for it is made either way
  size_t value_stride = 0;  // between the values of two keys

  bool dropping() const { return site >= 0; }
  // Floats between rows of chains.
  size_t padded() const { return (size + 15) / 16 * 16; }
  // Features of a query, its key and its value side by side.
  size_t packed() const { return (heads + 2 * key_heads) * size; }
};

// Where the first ones lie, and how far apart they are of two steps.
struct AttentionOperands {
  const float* query;
  const float* key;
  const float* value;
  const int32_t* lengths;
  const float* rotation;
  size_t query_stride, key_stride, value_stride;
};

// y = x turned by the angles of a place, cosines in front of sines, times a scale: pairs are half a head apart.
// Elements of y lie `stride` apart.
inline void turn(const float* x, const float* rotation, float scale, float* y, size_t size, size_t stride) {
  const size_t half = size / 2;
  for (size_t p = 0; p < half; ++p) {
    const float a = x[p], b = x[p + half];
    y[p * stride] = (a * rotation[p] - b * rotation[p + half]) * scale;
    y[(p + half) * stride] = (b * rotation[p] + a * rotation[p + half]) * scale;
  }
}

template <typename At>
AttentionSizes attention_sizes(const Arguments& a) {
  AttentionSizes s{};
  s.rows = a.size(At::rows);
  s.queries = a.size(At::queries);
  s.keys = a.size(At::keys);
  s.heads = a.size(At::heads);
  s.key_heads = a.size(At::key_heads);
  s.size = a.size(At::size);
  s.causal = a.ints[At::causal] != 0;
  s.own = a.ints[At::own] != 0;
  s.batched = a.ints[At::batched] != 0;
  s.site = a.ints[At::site];
  s.scale = static_cast<float>(a.doubles[At::scale]);
  s.keep = a.doubles[At::keep];
  s.keep_scale = static_cast<float>(a.doubles[At::keep_scale]);
  return s;
}

}  // namespace carillon
