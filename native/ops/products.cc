// Matrix products and what follows them: bias, activation, dropout; derivative, mask.
#include <algorithm>

#include "../runtime/memory.h"
#include "gemm_run.h"
#include "operation.h"
#include "philox.h"

namespace carillon {
namespace {

constexpr Operands kGemm{"a:f b:f bias:f? c:F",
                         "m:d n:d k:d transpose_a:b? layout_b:layouts? activation:activations? accumulate:b?", ""};
constexpr Operands kGemmFused{"a:f b:f bias:f? c:F gate:f?",
                              "m:d n:d k:d transpose_a:b? layout_b:layouts? activation:activations? accumulate:b? "
                              "site:i?-1 example_rows:i? backward:gates?",
                              "keep?1 keep_scale?1 gate_scale?1"};
constexpr Operands kGemmPack{"b:f packed:F", "n:d k:d along_depth:b", ""};

// Bits of a mask below which a second thread does not pay: about 10 µs of drawing.
constexpr size_t kLeastMaskBits = 1 << 17;

// ints of a gemm
enum GemmInt : size_t { kM, kN, kK, kTransposeA, kLayoutB, kActivation, kAccumulate };
// and, behind them, of a gemm_fused: place that drops (−1: none), rows of c an example (0: not an array of the batch),
// what the gate does; its doubles
enum FusedInt : size_t { kSite = kAccumulate + 1, kExampleRows, kBackward };
enum FusedDouble : size_t { kKeep, kKeepScale, kGateScale };
constexpr size_t kGateView = 4;

Layout layout_of(const Arguments& a) { return static_cast<Layout>(a.ints[kLayoutB]); }

GemmShape shape_of(const Arguments& a) {
  return {a.size(kM), a.size(kN), a.size(kK), a.ints[kTransposeA] != 0, layout_of(a), a.ints[kAccumulate] != 0};
}

// Floats of b packed: panels of 32 columns at most, whatever the kernels are.
size_t packed_floats(size_t n, size_t k, Requirements& r) {
  if (n > std::numeric_limits<size_t>::max() / 64) {
    r.fail("dimensions overflow");
    return 0;
  }
  r.need(1, round_up(n, kPackedColumns), k);
  return r.counts[1];
}

void check_gemm(const Arguments& a, Requirements& r) {
  if (a.ints[kActivation] < 0 || a.ints[kActivation] >= static_cast<int64_t>(Activation::count)) {
    r.fail("no such activation");
  }
  if (a.ints[kLayoutB] < 0 || a.ints[kLayoutB] >= static_cast<int64_t>(Layout::count)) r.fail("no such form of b");
  if (a.ints[kAccumulate] != 0 && (a.views[2] != nullptr || a.ints[kActivation] != 0)) {
    r.fail("accumulation takes no bias or activation");
  }
  r.need(0, a.size(kM), a.size(kK));
  if (layout_of(a) == Layout::packed) {
    packed_floats(a.size(kN), a.size(kK), r);
  } else {
    r.need(1, a.size(kK), a.size(kN));
  }
  r.need(2, a.size(kN));
  r.need(3, a.size(kM), a.size(kN));
}

// views: a, b, bias, c, gate
void check_gemm_fused(const Arguments& a, Requirements& r) {
  check_gemm(a, r);
  if (a.ints[kAccumulate] != 0) r.fail("a fused product does not accumulate");
  if (a.ints[kSite] < -1 || a.ints[kExampleRows] < 0) r.fail("bad place of a mask");
  if (!(a.doubles[kKeep] >= 0 && a.doubles[kKeep] <= 1)) r.fail("keep outside [0, 1]");
  if (a.ints[kBackward] < 0 || a.ints[kBackward] >= static_cast<int64_t>(Backward::count)) r.fail("no such gate");
  if ((a.views[kGateView] != nullptr) != (a.ints[kBackward] != 0)) r.fail("a gate and what it does go together");
  r.need(kGateView, a.size(kM), a.size(kN));
}

size_t scratch_gemm(const Arguments& a, const KernelTable& kernels) {
  return most_floats(shape_of(a), kernels) * sizeof(float);
}

GemmTask task_of(const Arguments& a, const GemmPlan& plan) {
  const size_t m = a.size(kM), n = a.size(kN), k = a.size(kK);
  const bool transpose_a = a.ints[kTransposeA] != 0;
  GemmTask task{};
  task.left = a.view<const float>(plan.swapped ? 1 : 0);
  task.left_row_stride = !plan.swapped && transpose_a ? 1 : k;
  task.left_depth_stride = !plan.swapped && transpose_a ? m : 1;
  task.right = a.view<const float>(plan.swapped ? 0 : 1);
  task.right_stride = plan.right_along_depth ? k : plan.swapped ? m : n;
  task.right_packed = layout_of(a) == Layout::packed;
  task.right_along_depth = plan.right_along_depth;
  task.rows = plan.rows;
  task.columns = plan.columns;
  task.k = k;
  task.transposed = plan.swapped;
  task.c = a.view<float>(3);
  task.c_stride = n;
  task.bias = a.view<const float>(2);
  task.activation = static_cast<Activation>(a.ints[kActivation]);
  task.accumulate = a.ints[kAccumulate] != 0 && !plan.apart;
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
  // Blocks of `right` are packed by the threads that use them, unless several would pack the same or some be idle.
  if (plan.right_pack && evenly(panels, std::min<size_t>(chunks, context.parallel.threads()))) {
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
  const size_t m = a.size(kM), n = a.size(kN);
  if (m == 0 || n == 0) return;
  auto* sum = static_cast<float*>(context.scratch) + plan.left_floats + plan.right_floats;
  if (plan.apart) task.c = sum;
  multiply(context, plan, task);
  if (plan.apart) {
    auto* c = a.view<float>(3);
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
  if (a.ints[kSite] < 0) return 0;
  return round_up((a.size(kM) * a.size(kN) + kMaskUnit) / 8 + sizeof(uint32_t), kAlignment) + kMaskUnit / 8;
}

size_t scratch_gemm_fused(const Arguments& a, const KernelTable& kernels) {
  return round_up(scratch_gemm(a, kernels), kAlignment) + mask_bytes(a);
}

// The bits of the mask of c, behind what the product packs.
void draw_mask(const Context& context, const Arguments& a, GemmTask& task) {
  const size_t count = a.size(kM) * a.size(kN);
  const uint64_t first = static_cast<uint64_t>(context.registers.batch_offset) * a.size(kExampleRows) * a.size(kN);
  const uint64_t begin = first / kMaskUnit * kMaskUnit;
  auto* bits =
      reinterpret_cast<uint16_t*>(static_cast<std::byte*>(context.scratch) +
                                  round_up(most_floats(shape_of(a), context.kernels) * sizeof(float), kAlignment));
  DropoutArguments arguments{};
  arguments.seed = context.registers.seed;
  arguments.step = context.registers.step;
  arguments.site = static_cast<uint32_t>(a.ints[kSite]);
  arguments.threshold = dropout_threshold(a.doubles[kKeep]);
  const size_t all = count + static_cast<size_t>(first - begin);
  const size_t chunks = context.parallel.chunks(all, kLeastMaskBits);
  const size_t step = round_up((all + chunks - 1) / chunks, kMaskUnit);
  context.parallel.run(chunks, [&](size_t chunk) {
    const size_t from = std::min(chunk * step, all), to = std::min(from + step, all);
    if (from < to) context.kernels.dropout_mask_bits(bits + from / 16, to - from, begin + from, arguments);
  });
  task.keep = reinterpret_cast<const uint8_t*>(bits);
  task.keep_offset = static_cast<size_t>(first - begin);
  task.keep_scale = static_cast<float>(a.doubles[kKeepScale]);
}

void run_gemm_fused(const Context& context, const Arguments& a) {
  const GemmPlan plan = plan_of(shape_of(a), context.kernels);
  GemmTask task = task_of(a, plan);
  if (a.ints[kSite] >= 0) draw_mask(context, a, task);
  task.backward = static_cast<Backward>(a.ints[kBackward]);
  task.gate_values = a.view<const float>(kGateView);
  task.gate_scale = static_cast<float>(a.doubles[kGateScale]);
  run_product(context, a, plan, task);
}

// views: b, packed; ints: n, k, rows of b along k (a weight [n, k]) or not ([k, n])
void check_gemm_pack(const Arguments& a, Requirements& r) {
  r.need(0, a.size(0), a.size(1));
  packed_floats(a.size(0), a.size(1), r);
}

void run_gemm_pack(const Context& context, const Arguments& a) {
  const size_t n = a.size(0), k = a.size(1);
  const bool along_depth = a.ints[2] != 0;
  const auto* b = a.view<const float>(0);
  auto* packed = a.view<float>(1);
  const size_t panels = tiles_of(n, context.kernels.gemm_columns);
  const size_t chunks = std::min(panels, context.parallel.chunks(n * k, kLeastElements));
  context.parallel.run(chunks, [&](size_t chunk) {
    context.kernels.gemm_pack_right_f32(b, along_depth ? k : n, along_depth, n, k, panels * chunk / chunks,
                                        panels * (chunk + 1) / chunks, packed);
  });
}

}  // namespace

constinit const Operation op_gemm{"gemm", kGemm, false, check_gemm, scratch_gemm, run_gemm};
constinit const Operation op_gemm_fused{"gemm_fused",     kGemmFused,         false,
                                        check_gemm_fused, scratch_gemm_fused, run_gemm_fused};
constinit const Operation op_gemm_pack{"gemm_pack", kGemmPack, false, check_gemm_pack, nullptr, run_gemm_pack};

}  // namespace carillon
