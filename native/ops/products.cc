// Matrix products and what follows them: bias, activation, dropout; derivative, mask.
#include <algorithm>

#include "../runtime/memory.h"
#include "gemm_run.h"
#include "operation.h"
#include "philox.h"

namespace carillon {
namespace {

struct GemmAt {
  static constexpr Operands all{
      "a:f b:f bias:f? c:F", "m:d n:d k:d transpose_a:b? layout_b:layouts? activation:activations? accumulate:b?", ""};
  static constexpr size_t a = all.view("a"), b = all.view("b"), bias = all.view("bias"), c = all.view("c");
  static constexpr size_t m = all.integer("m"), n = all.integer("n"), k = all.integer("k"),
                          transpose_a = all.integer("transpose_a"), layout_b = all.integer("layout_b"),
                          activation = all.integer("activation"), accumulate = all.integer("accumulate");
};
struct GemmFusedAt {
  static constexpr Operands all{"a:f b:f bias:f? c:F gate:f?",
                                "m:d n:d k:d transpose_a:b? layout_b:layouts? activation:activations? accumulate:b? "
                                "site:i?-1 example_rows:i? backward:gates?",
                                "keep?1 keep_scale?1 gate_scale?1"};
  static constexpr size_t a = all.view("a"), b = all.view("b"), bias = all.view("bias"), c = all.view("c"),
                          gate = all.view("gate");
  static constexpr size_t m = all.integer("m"), n = all.integer("n"), k = all.integer("k"),
                          transpose_a = all.integer("transpose_a"), layout_b = all.integer("layout_b"),
                          activation = all.integer("activation"), accumulate = all.integer("accumulate"),
                          site = all.integer("site"), example_rows = all.integer("example_rows"),
                          backward = all.integer("backward");
  static constexpr size_t keep = all.number("keep"), keep_scale = all.number("keep_scale"),
                          gate_scale = all.number("gate_scale");
};
struct GemmPackAt {
  static constexpr Operands all{"b:f packed:F", "n:d k:d along_depth:b", ""};
  static constexpr size_t b = all.view("b"), packed = all.view("packed");
  static constexpr size_t n = all.integer("n"), k = all.integer("k"), along_depth = all.integer("along_depth");
};

// Bits of a mask below which a second thread does not pay: about 10 µs of drawing.
constexpr size_t kLeastMaskBits = 1 << 17;

// A fused product is a product up to there. `site`: the place that drops (−1: none); `example_rows`: rows of c an
// example (0: not an array of the batch).
static_assert(GemmFusedAt::c == GemmAt::c && GemmFusedAt::accumulate == GemmAt::accumulate);

Layout layout_of(const Arguments& a) { return static_cast<Layout>(a.ints[GemmAt::layout_b]); }

GemmShape shape_of(const Arguments& a) {
  return {a.size(GemmAt::m), a.size(GemmAt::n),
          a.size(GemmAt::k), a.ints[GemmAt::transpose_a] != 0,
          layout_of(a),      a.ints[GemmAt::accumulate] != 0};
}

// A view of b packed: panels of 32 columns at most, whatever the kernels are.
void need_packed(size_t n, size_t k, size_t view, Requirements& r) {
  if (n > std::numeric_limits<size_t>::max() / 64) return r.fail("dimensions overflow");
  r.need(view, round_up(n, kPackedColumns), k);
}

void check_gemm(const Arguments& a, Requirements& r) {
  if (a.ints[GemmAt::activation] < 0 || a.ints[GemmAt::activation] >= static_cast<int64_t>(Activation::count)) {
    r.fail("no such activation");
  }
  if (a.ints[GemmAt::layout_b] < 0 || a.ints[GemmAt::layout_b] >= static_cast<int64_t>(Layout::count))
    r.fail("no such form of b");
  if (a.ints[GemmAt::accumulate] != 0 && (a.views[GemmAt::bias] != nullptr || a.ints[GemmAt::activation] != 0)) {
    r.fail("accumulation takes no bias or activation");
  }
  r.need(GemmAt::a, a.size(GemmAt::m), a.size(GemmAt::k));
  if (layout_of(a) == Layout::packed) {
    need_packed(a.size(GemmAt::n), a.size(GemmAt::k), GemmAt::b, r);
  } else {
    r.need(GemmAt::b, a.size(GemmAt::k), a.size(GemmAt::n));
  }
  r.need(GemmAt::bias, a.size(GemmAt::n));
  r.need(GemmAt::c, a.size(GemmAt::m), a.size(GemmAt::n));
}

void check_gemm_fused(const Arguments& a, Requirements& r) {
  check_gemm(a, r);
  if (a.ints[GemmAt::accumulate] != 0) r.fail("a fused product does not accumulate");
  if (a.ints[GemmFusedAt::site] < -1 || a.ints[GemmFusedAt::example_rows] < 0) r.fail("bad place of a mask");
  if (!(a.doubles[GemmFusedAt::keep] >= 0 && a.doubles[GemmFusedAt::keep] <= 1)) r.fail("keep outside [0, 1]");
  if (a.ints[GemmFusedAt::backward] < 0 || a.ints[GemmFusedAt::backward] >= static_cast<int64_t>(Backward::count))
    r.fail("no such gate");
  if ((a.views[GemmFusedAt::gate] != nullptr) != (a.ints[GemmFusedAt::backward] != 0))
    r.fail("a gate and what it does go together");
  r.need(GemmFusedAt::gate, a.size(GemmAt::m), a.size(GemmAt::n));
}

size_t scratch_gemm(const Arguments& a, const KernelTable& kernels) {
  return most_floats(shape_of(a), kernels) * sizeof(float);
}

GemmTask task_of(const Arguments& a, const GemmPlan& plan) {
  const size_t m = a.size(GemmAt::m), n = a.size(GemmAt::n), k = a.size(GemmAt::k);
  GemmTask task{};
  task.left = a.view<const float>(plan.swapped ? GemmAt::b : GemmAt::a);
  task.left_row_stride = plan.left_along_rows ? 1 : k;
  task.left_depth_stride = plan.left_along_rows ? plan.rows : 1;
  task.right = a.view<const float>(plan.swapped ? GemmAt::a : GemmAt::b);
  task.right_stride = plan.right_along_depth ? k : plan.swapped ? m : n;
  task.right_packed = layout_of(a) == Layout::packed;
  task.right_along_depth = plan.right_along_depth;
  task.rows = plan.rows;
  task.columns = plan.columns;
  task.k = k;
  task.transposed = plan.swapped;
  task.c = a.view<float>(GemmAt::c);
  task.c_stride = n;
  task.bias = a.view<const float>(GemmAt::bias);
  task.activation = static_cast<Activation>(a.ints[GemmAt::activation]);
  task.accumulate = a.ints[GemmAt::accumulate] != 0 && !plan.apart;
  return task;
}

}  // namespace

void pack_operands(const Context& context, const GemmPlan& plan, bool right_whole, GemmTask& task) {
  const KernelTable& kernels = context.kernels;
  auto* left = static_cast<float*>(context.scratch);
  auto* right = left + plan.left_floats;
  const GemmTask raw = task;
  const size_t tiles = tiles_of(plan.rows, kernels.gemm_rows);
  const size_t panels = tiles_of(plan.columns, kernels.gemm_columns);
  const auto chunks_of = [&](bool wanted, size_t rows, size_t parts) {
    return wanted ? std::min(parts, context.parallel.chunks(rows * task.k, kLeastElements)) : 0;
  };
  const size_t left_chunks = chunks_of(plan.left_pack, plan.rows, tiles);
  const size_t right_chunks = chunks_of(right_whole, plan.columns, panels);
  context.parallel.run(left_chunks + right_chunks, [&](size_t chunk) {
    if (chunk < left_chunks) {
      kernels.gemm_pack_left_f32(raw.left, raw.left_row_stride, raw.left_depth_stride, plan.rows, raw.k,
                                 tiles * chunk / left_chunks, tiles * (chunk + 1) / left_chunks, left);
    } else {
      const size_t part = chunk - left_chunks;
      kernels.gemm_pack_right_f32(raw.right, raw.right_stride, plan.right_along_depth, plan.columns, raw.k,
                                  panels * part / right_chunks, panels * (part + 1) / right_chunks, right);
    }
  });
  if (plan.left_pack) {
    task.left = left;
    task.left_packed = true;
  }
  if (right_whole) {
    task.right = right;
    task.right_packed = true;
  }
}

namespace {

// How a region of tiles × panels is cut: the cut into about `chunks` parts whose largest part is least.
struct Grid {
  size_t tile_groups = 1;
  size_t panel_groups = 1;
};

Grid grid_of(size_t tiles, size_t panels, size_t chunks) {
  Grid best;
  if (chunks == 1) return best;
  size_t least = tiles * panels;
  for (size_t columns = 1; columns <= std::min(panels, chunks); ++columns) {
    const size_t rows = std::min(tiles, (chunks + columns - 1) / columns);
    const size_t largest = tiles_of(tiles, rows) * tiles_of(panels, columns);
    if (largest < least) {
      least = largest;
      best = {rows, columns};
    }
  }
  return best;
}

// Whether `count` units keep `threads` threads busy for three quarters of the time at least.
bool evenly(size_t count, size_t threads) { return 4 * count >= 3 * threads * tiles_of(count, threads); }

void multiply_few(const Context& context, const GemmTask& task, size_t chunks) {
  const KernelTable& kernels = context.kernels;
  const size_t groups = tiles_of(task.columns, kernels.gemm_group);
  const size_t parts = std::min(groups, chunks);
  context.parallel.run(parts, [&](size_t part) {
    kernels.gemm_few_f32(task, groups * part / parts * kernels.gemm_group,
                         std::min(task.columns, groups * (part + 1) / parts * kernels.gemm_group));
  });
}

}  // namespace

void multiply(const Context& context, const GemmPlan& plan, GemmTask& task) {
  const KernelTable& kernels = context.kernels;
  const size_t floats = task.rows * task.k + task.k * task.columns + task.rows * task.columns;
  const size_t chunks =
      context.parallel.chunks(std::max(2 * task.rows * task.columns * task.k, kFlopsAFloat * floats), kLeastFlops);
  if (plan.few) {
    if (plan.left_pack) pack_operands(context, plan, false, task);
    multiply_few(context, task, chunks);
    return;
  }
  const size_t tiles = tiles_of(task.rows, kernels.gemm_rows);
  const size_t panels = tiles_of(task.columns, kernels.gemm_columns);
  Grid grid = grid_of(tiles, panels, chunks);
  const size_t panel_bytes = kernels.gemm_columns * std::min(task.k, kDepthChunk) * sizeof(float);
  const size_t most = std::max<size_t>(kBlockBytes / std::max<size_t>(panel_bytes, 1), 1);
  const size_t threads = std::min<size_t>(chunks, context.parallel.threads());
  // The larger operand is divided, so that each thread has a part of it in its cache, from step to step: a weight's
  // rows by those threads that have them in its gradient and its update too. Blocks of `right` are packed by the
  // threads that use them, unless several would pack the same or some be idle.
  if (plan.swapped && task.rows >= task.columns && threads > 1 && evenly(tiles, threads)) {
    grid = {std::min(tiles, chunks), 1};
  } else if (plan.right_pack && evenly(panels, threads)) {
    grid = {1, std::min(panels, chunks)};
  }
  const bool whole = plan.right_pack && (grid.tile_groups > 1 || context.parallel.threads() > BlockRoom::kMost);
  if (plan.left_pack || whole) pack_operands(context, plan, whole, task);
  const size_t share = tiles_of(panels, grid.panel_groups);
  // The room is that of all panels packed: a block for every thread that works at once.
  const size_t at_once = std::min<size_t>(grid.panel_groups, context.parallel.threads());
  const size_t largest = std::max<size_t>(std::min(most, panels / at_once), 1);
  task.group = tiles_of(share, tiles_of(share, largest));
  if (!plan.right_pack || whole) {
    context.parallel.run(grid.tile_groups * grid.panel_groups, [&](size_t chunk) {
      const size_t tile_group = chunk % grid.tile_groups;
      const size_t panel_group = chunk / grid.tile_groups;
      kernels.gemm_f32(task, tiles * tile_group / grid.tile_groups, tiles * (tile_group + 1) / grid.tile_groups,
                       panels * panel_group / grid.panel_groups, panels * (panel_group + 1) / grid.panel_groups);
    });
    return;
  }
  float* const room = static_cast<float*>(context.scratch) + plan.left_floats;
  const size_t block_floats = task.group * panel_bytes / sizeof(float);
  BlockRoom free_blocks(std::max<size_t>(panels / task.group, 1));
  context.parallel.run(grid.panel_groups, [&](size_t chunk) {
    GemmTask part = task;
    const size_t block = free_blocks.take();
    part.block = room + block * block_floats;
    kernels.gemm_f32(part, 0, tiles, panels * chunk / grid.panel_groups, panels * (chunk + 1) / grid.panel_groups);
    free_blocks.give(block);
  });
}

namespace {

void run_product(const Context& context, const Arguments& a, const GemmPlan& plan, GemmTask& task) {
  const size_t m = a.size(GemmAt::m), n = a.size(GemmAt::n);
  if (m == 0 || n == 0) return;
  auto* sum = static_cast<float*>(context.scratch) + plan.left_floats + plan.right_floats;
  if (plan.apart) task.c = sum;
  multiply(context, plan, task);
  if (plan.apart) {
    auto* c = a.view<float>(GemmAt::c);
    context.kernels.binary[static_cast<size_t>(Binary::add)].vector_vector(c, sum, c, m * n);
  }
}

void run_gemm(const Context& context, const Arguments& a) {
  const GemmPlan plan = plan_of(shape_of(a), context.kernels);
  GemmTask task = task_of(a, plan);
  run_product(context, a, plan, task);
}

// Elements of one draw of the mask's generator; the bits of a mask begin at a whole one.
constexpr uint64_t kMaskUnit = 256;

// Bytes of the bits of m·n elements wherever they begin, and what a reader of four bytes touches behind them.
size_t mask_bytes(const Arguments& a) {
  if (a.ints[GemmFusedAt::site] < 0) return 0;
  return round_up((a.size(GemmAt::m) * a.size(GemmAt::n) + kMaskUnit) / 8 + sizeof(uint32_t), kAlignment) +
         kMaskUnit / 8;
}

size_t scratch_gemm_fused(const Arguments& a, const KernelTable& kernels) {
  return round_up(scratch_gemm(a, kernels), kAlignment) + mask_bytes(a);
}

// The bits of the mask of c, behind what the product packs.
void draw_mask(const Context& context, const Arguments& a, GemmTask& task) {
  const size_t count = a.size(GemmAt::m) * a.size(GemmAt::n);
  const uint64_t first =
      static_cast<uint64_t>(context.registers.batch_offset) * a.size(GemmFusedAt::example_rows) * a.size(GemmAt::n);
  const uint64_t begin = first / kMaskUnit * kMaskUnit;
  auto* bits =
      reinterpret_cast<uint16_t*>(static_cast<std::byte*>(context.scratch) +
                                  round_up(most_floats(shape_of(a), context.kernels) * sizeof(float), kAlignment));
  DropoutArguments arguments{};
  arguments.seed = context.registers.seed;
  arguments.step = context.registers.step;
  arguments.site = static_cast<uint32_t>(a.ints[GemmFusedAt::site]);
  arguments.threshold = dropout_threshold(a.doubles[GemmFusedAt::keep]);
  const size_t all = count + static_cast<size_t>(first - begin);
  const size_t chunks = context.parallel.chunks(all, kLeastMaskBits);
  const size_t step = round_up((all + chunks - 1) / chunks, kMaskUnit);
  context.parallel.run(chunks, [&](size_t chunk) {
    const size_t from = std::min(chunk * step, all), to = std::min(from + step, all);
    if (from < to) context.kernels.dropout_mask_bits(bits + from / 16, to - from, begin + from, arguments);
  });
  task.keep = reinterpret_cast<const uint8_t*>(bits);
  task.keep_offset = static_cast<size_t>(first - begin);
  task.keep_stride = a.size(GemmAt::n);
  task.keep_scale = static_cast<float>(a.doubles[GemmFusedAt::keep_scale]);
}

void run_gemm_fused(const Context& context, const Arguments& a) {
  const GemmPlan plan = plan_of(shape_of(a), context.kernels);
  GemmTask task = task_of(a, plan);
  if (a.ints[GemmFusedAt::site] >= 0) draw_mask(context, a, task);
  task.backward = static_cast<Backward>(a.ints[GemmFusedAt::backward]);
  task.gate_values = a.view<const float>(GemmFusedAt::gate);
  task.gate_scale = static_cast<float>(a.doubles[GemmFusedAt::gate_scale]);
  run_product(context, a, plan, task);
}

// `along_depth`: rows of b along k (a weight [n, k]) or not ([k, n]).
void check_gemm_pack(const Arguments& a, Requirements& r) {
  r.need(GemmPackAt::b, a.size(GemmPackAt::n), a.size(GemmPackAt::k));
  need_packed(a.size(GemmPackAt::n), a.size(GemmPackAt::k), GemmPackAt::packed, r);
}

void run_gemm_pack(const Context& context, const Arguments& a) {
  const size_t n = a.size(GemmPackAt::n), k = a.size(GemmPackAt::k);
  const bool along_depth = a.ints[GemmPackAt::along_depth] != 0;
  const auto* b = a.view<const float>(GemmPackAt::b);
  auto* packed = a.view<float>(GemmPackAt::packed);
  const size_t panels = tiles_of(n, context.kernels.gemm_columns);
  const size_t chunks = std::min(panels, context.parallel.chunks(n * k, kLeastElements));
  context.parallel.run(chunks, [&](size_t chunk) {
    context.kernels.gemm_pack_right_f32(b, along_depth ? k : n, along_depth, n, k, panels * chunk / chunks,
                                        panels * (chunk + 1) / chunks, packed);
  });
}

}  // namespace

constinit const Operation op_gemm{"gemm", GemmAt::all, false, check_gemm, scratch_gemm, run_gemm};
constinit const Operation op_gemm_fused{"gemm_fused",     GemmFusedAt::all,   false,
                                        check_gemm_fused, scratch_gemm_fused, run_gemm_fused};
constinit const Operation op_gemm_pack{"gemm_pack", GemmPackAt::all, false, check_gemm_pack, nullptr, run_gemm_pack};

}  // namespace carillon
