// Products of weights that were packed once, for programs whose weights stay as they are.
#include <algorithm>

#include "../runtime/memory.h"
#include "gemm_run.h"
#include "operation.h"

namespace carillon {
namespace {

struct FrozenPackAt {
  static constexpr Operands all{"weights:f packed:U", "n:d k:d along_depth:b form:forms", ""};
  static constexpr size_t weights = all.view("weights"), packed = all.view("packed");
  static constexpr size_t n = all.integer("n"), k = all.integer("k"), along_depth = all.integer("along_depth"),
                          form = all.integer("form");
};
struct FrozenProductAt {
  static constexpr Operands all{"x:f packed:u bias:f? scale:f? shift:f? c:F",
                                "m:d n:d k:d form:forms function:unary?-1", ""};
  static constexpr size_t x = all.view("x"), packed = all.view("packed"), bias = all.view("bias"),
                          scale = all.view("scale"), shift = all.view("shift"), c = all.view("c");
  static constexpr size_t m = all.integer("m"), n = all.integer("n"), k = all.integer("k"), form = all.integer("form"),
                          function = all.integer("function");
};

// What both operations know of packed weights: the scales of int8, one an output of whole panels, then the panels.
struct Packed {
  size_t scale_bytes;
  size_t weight_bytes;
};

bool is_form(int64_t form) { return form >= 0 && form < static_cast<int64_t>(WeightForm::count); }

// Zeros where the sizes overflow; `view` is that of the packed bytes.
Packed packed_of(size_t n, size_t k, int64_t form) {
  const size_t columns = round_up(n, kPackedColumns);
  const FormBytes bytes = form_bytes(static_cast<WeightForm>(form));
  return {columns * bytes.scale, columns * k * bytes.weight};
}

void need_packed(const Arguments& a, size_t view, size_t n, size_t k, int64_t form, Requirements& r) {
  constexpr size_t kMost = std::numeric_limits<size_t>::max() / 64;
  if (!is_form(form)) return r.fail("no such form of weights");
  if (n > kMost || (n != 0 && k > kMost / round_up(n, kPackedColumns))) return r.fail("dimensions overflow");
  const Packed packed = packed_of(n, k, form);
  r.need(view, packed.scale_bytes + packed.weight_bytes);
  if (reinterpret_cast<uintptr_t>(a.views[view]) % kAlignment != 0) r.fail("packed weights begin at a cache line");
}

// `along_depth`: rows of the weights along k (a weight [n, k]) or not ([k, n]).

void check_frozen_pack(const Arguments& a, Requirements& r) {
  r.need(FrozenPackAt::weights, a.size(FrozenPackAt::n), a.size(FrozenPackAt::k));
  need_packed(a, FrozenPackAt::packed, a.size(FrozenPackAt::n), a.size(FrozenPackAt::k), a.ints[FrozenPackAt::form], r);
}

void run_frozen_pack(const Context& context, const Arguments& a) {
  const size_t n = a.size(FrozenPackAt::n), k = a.size(FrozenPackAt::k);
  FrozenPacking task{};
  task.weights = a.view<const float>(FrozenPackAt::weights);
  task.along_depth = a.ints[FrozenPackAt::along_depth] != 0;
  task.stride = task.along_depth ? k : n;
  task.columns = n;
  task.k = k;
  const Packed packed = packed_of(n, k, a.ints[FrozenPackAt::form]);
  if (packed.scale_bytes != 0) task.scales = a.view<float>(FrozenPackAt::packed);
  task.packed = a.view<unsigned char>(FrozenPackAt::packed) + packed.scale_bytes;
  const size_t panels = tiles_of(n, context.kernels.gemm_columns);
  const size_t chunks = std::min(panels, context.parallel.chunks(n * k, kLeastElements));
  const auto kernel = context.kernels.frozen_pack[a.size(FrozenPackAt::form)];
  context.parallel.run(chunks,
                       [&](size_t chunk) { kernel(task, panels * chunk / chunks, panels * (chunk + 1) / chunks); });
}

// `scale` and `shift`: of the finished elements, one a column each, by one fused multiply-add; then `function`, −1:
// none.

void check_frozen_product(const Arguments& a, Requirements& r) {
  if (a.ints[FrozenProductAt::function] < -1 || a.ints[FrozenProductAt::function] >= static_cast<int64_t>(Unary::count))
    r.fail("no such function");
  if ((a.views[FrozenProductAt::scale] == nullptr) != (a.views[FrozenProductAt::shift] == nullptr)) {
    r.fail("a scale and a shift go together");
  }
  r.need(FrozenProductAt::scale, a.size(FrozenProductAt::n));
  r.need(FrozenProductAt::shift, a.size(FrozenProductAt::n));
  r.need(FrozenProductAt::x, a.size(FrozenProductAt::m), a.size(FrozenProductAt::k));
  need_packed(a, FrozenProductAt::packed, a.size(FrozenProductAt::n), a.size(FrozenProductAt::k),
              a.ints[FrozenProductAt::form], r);
  r.need(FrozenProductAt::bias, a.size(FrozenProductAt::n));
  r.need(FrozenProductAt::c, a.size(FrozenProductAt::m), a.size(FrozenProductAt::n));
}

// A product with its operands; `scale` and `unary` are what is left to do by kernels of their own.
struct Product {
  FrozenTask task{};
  WeightForm form = WeightForm::f32;
  const float* scale = nullptr;
  const float* shift = nullptr;
  UnaryKernel unary = nullptr;
  decltype(KernelTable::column_norm_f32) column_norm;

  Product(const KernelTable& kernels, const Arguments& a)
      : form(static_cast<WeightForm>(a.ints[FrozenProductAt::form])),
        scale(a.view<const float>(FrozenProductAt::scale)),
        shift(a.view<const float>(FrozenProductAt::shift)),
        column_norm(kernels.column_norm_f32) {
    const Packed packed =
        packed_of(a.size(FrozenProductAt::n), a.size(FrozenProductAt::k), a.ints[FrozenProductAt::form]);
    task.x = a.view<const float>(FrozenProductAt::x);
    if (packed.scale_bytes != 0) task.scales = a.view<const float>(FrozenProductAt::packed);
    task.weights = a.view<const unsigned char>(FrozenProductAt::packed) + packed.scale_bytes;
    task.bias = a.view<const float>(FrozenProductAt::bias);
    task.c = a.view<float>(FrozenProductAt::c);
    task.c_stride = a.size(FrozenProductAt::n);
    task.rows = a.size(FrozenProductAt::m);
    task.columns = a.size(FrozenProductAt::n);
    task.k = a.size(FrozenProductAt::k);
    task.rectified = scale == nullptr && a.ints[FrozenProductAt::function] == static_cast<int64_t>(Unary::relu);
    if (!task.rectified && a.ints[FrozenProductAt::function] >= 0)
      unary = kernels.unary[a.size(FrozenProductAt::function)];
  }

  bool plain() const { return task.scales == nullptr && task.bias == nullptr && !task.rectified; }

  bool ends_here() const { return scale == nullptr && unary == nullptr; }

  // What is left to do, for columns [begin, end) of some rows.
  void end_rows(size_t row_begin, size_t row_end, size_t begin, size_t end) const {
    if (ends_here()) return;
    for (size_t r = row_begin; r < row_end; ++r) {
      float* c = task.c + r * task.c_stride + begin;
      if (scale != nullptr) column_norm(c, task.c_stride, 1, end - begin, nullptr, scale + begin, shift + begin, c);
      if (unary != nullptr) unary(c, c, end - begin);
    }
  }
};

// Rows that are computed from the packed form as it is; more of them pay for widening it, or for the larger tiles.
constexpr size_t kFewTiles = 2;
bool few(size_t rows, const KernelTable& kernels) { return rows <= kFewTiles * kernels.frozen_rows; }

size_t work_of(const FrozenTask& task, size_t weight_bytes) {
  return std::max(2 * task.rows * task.columns * task.k, kFlopsAFloat * task.columns * task.k * weight_bytes / 4);
}

void multiply_few_rows(const Context& context, const Product& product) {
  const FrozenTask& task = product.task;
  const KernelTable& kernels = context.kernels;
  const auto kernel = kernels.frozen_product[static_cast<size_t>(product.form)];
  const size_t panels = tiles_of(task.columns, kernels.gemm_columns);
  const size_t groups = tiles_of(panels, kernels.frozen_panels);
  const size_t wanted = context.parallel.chunks(work_of(task, form_bytes(product.form).weight), kLeastFlops);
  // With fewer groups than threads the panels themselves are shared out.
  const size_t unit = groups >= std::min<size_t>(wanted, context.parallel.threads()) ? kernels.frozen_panels : 1;
  const size_t units = tiles_of(panels, unit), chunks = std::min(units, wanted);
  context.parallel.run(chunks, [&](size_t chunk) {
    const size_t begin = units * chunk / chunks * unit;
    const size_t end = std::min(panels, units * (chunk + 1) / chunks * unit);
    kernel(task, begin, end);
    product.end_rows(0, task.rows, begin * kernels.gemm_columns, std::min(task.columns, end * kernels.gemm_columns));
  });
}

GemmShape shape_of(const Arguments& a) {
  return {
      a.size(FrozenProductAt::m), a.size(FrozenProductAt::n), a.size(FrozenProductAt::k), false, Layout::packed, false};
}

GemmTask gemm_of(const FrozenTask& task) {
  GemmTask gemm{};
  gemm.left = task.x;
  gemm.left_row_stride = task.k;
  gemm.left_depth_stride = 1;
  gemm.right_packed = true;
  gemm.rows = task.rows;
  gemm.columns = task.columns;
  gemm.k = task.k;
  gemm.c = task.c;
  gemm.c_stride = task.c_stride;
  return gemm;
}

// Panels that are widened at once: all that a thread walks, with their whole k.
size_t group_of(const Arguments& a, const KernelTable& kernels) {
  const size_t panel_bytes = kernels.gemm_columns * a.size(FrozenProductAt::k) * sizeof(float);
  return std::max<size_t>(kBlockBytes / std::max<size_t>(panel_bytes, 1), 1);
}

// Weights of which so much is widened are widened whole, as one stage.
constexpr size_t kWholeBytes = 1 << 20;
constexpr size_t kMostBlocks = 16;

struct WidenRoom {
  bool whole;
  size_t group;  // panels of a block
  size_t block_floats;
  size_t blocks;

  WidenRoom(const Arguments& a, const KernelTable& kernels) {
    const size_t panels = tiles_of(a.size(FrozenProductAt::n), kernels.gemm_columns);
    const size_t panel_floats = kernels.gemm_columns * a.size(FrozenProductAt::k);
    whole = panels * panel_floats * sizeof(float) <= kWholeBytes;
    group = whole ? panels : group_of(a, kernels);
    block_floats = group * panel_floats;
    blocks = whole ? 1 : std::min(tiles_of(panels, group), kMostBlocks);
  }
};

size_t left_floats(const Arguments& a, const KernelTable& kernels) {
  return round_up(most_floats(shape_of(a), kernels), kAlignment / sizeof(float));
}

size_t scratch_frozen_product(const Arguments& a, const KernelTable& kernels) {
  size_t floats = left_floats(a, kernels);
  if (a.ints[FrozenProductAt::form] != static_cast<int64_t>(WeightForm::f32) &&
      !few(a.size(FrozenProductAt::m), kernels)) {
    const WidenRoom room(a, kernels);
    floats += room.blocks * room.block_floats;
  }
  return floats * sizeof(float);
}

// What a product as a whole has left to do, over rows.
void finish_rows(const Context& context, const Product& product, bool sums_only) {
  const FrozenTask& task = product.task;
  if (product.ends_here() && !sums_only) return;
  const size_t chunks = std::min(task.rows, context.parallel.chunks(task.rows * task.columns, kLeastElements));
  context.parallel.run(chunks, [&](size_t chunk) {
    const size_t begin = task.rows * chunk / chunks, end = task.rows * (chunk + 1) / chunks;
    if (sums_only) {
      FrozenTask part = task;
      part.c += begin * task.c_stride;
      part.rows = end - begin;
      context.kernels.frozen_finish(part, 0, task.columns);
    }
    product.end_rows(begin, end, 0, task.columns);
  });
}

// f32: the packed weights are those of a packed product.
void multiply_f32(const Context& context, const Arguments& a, const Product& product) {
  const GemmPlan plan = plan_of(shape_of(a), context.kernels);
  GemmTask gemm = gemm_of(product.task);
  gemm.right = reinterpret_cast<const float*>(product.task.weights);
  gemm.bias = product.task.bias;
  if (product.task.rectified) gemm.activation = Activation::relu;
  multiply(context, plan, gemm);
  finish_rows(context, product, false);
}

void widen_whole(const Context& context, const Product& product, float* out) {
  const FrozenTask& task = product.task;
  const size_t columns = context.kernels.gemm_columns;
  const size_t rows = tiles_of(task.columns, columns) * task.k;
  const auto kernel = context.kernels.frozen_widen[static_cast<size_t>(product.form)];
  const size_t row_bytes = columns * form_bytes(product.form).weight;
  const size_t chunks = context.parallel.chunks(rows * columns, kLeastElements);
  context.parallel.run(chunks, [&](size_t chunk) {
    const size_t begin = rows * chunk / chunks, end = rows * (chunk + 1) / chunks;
    kernel(task.weights + begin * row_bytes, end - begin, out + begin * columns);
  });
}

// Panels [begin, end): widened into `block`, multiplied and finished.
void multiply_block(const Context& context, const Product& product, const GemmTask& gemm, size_t begin, size_t end,
                    float* block) {
  const KernelTable& kernels = context.kernels;
  const FrozenTask& task = product.task;
  const size_t form = static_cast<size_t>(product.form);
  const size_t row_bytes = kernels.gemm_columns * form_bytes(product.form).weight;
  kernels.frozen_widen[form](task.weights + begin * task.k * row_bytes, (end - begin) * task.k, block);
  const size_t column = begin * kernels.gemm_columns;
  GemmTask part = gemm;
  part.right = block;
  part.columns = std::min(task.columns, end * kernels.gemm_columns) - column;
  part.c += column;
  part.group = end - begin;
  kernels.gemm_f32(part, 0, tiles_of(task.rows, kernels.gemm_rows), 0, end - begin);
  if (!product.plain()) kernels.frozen_finish(task, column, column + part.columns);
  product.end_rows(0, task.rows, column, column + part.columns);
}

// Small forms are widened beside the second-level cache, block by block.
void multiply_widened(const Context& context, const Arguments& a, const Product& product) {
  const KernelTable& kernels = context.kernels;
  const FrozenTask& task = product.task;
  const GemmPlan plan = plan_of(shape_of(a), kernels);
  const WidenRoom room(a, kernels);
  float* const blocks = static_cast<float*>(context.scratch) + left_floats(a, kernels);
  GemmTask gemm = gemm_of(task);
  if (room.whole) {
    widen_whole(context, product, blocks);
    gemm.right = blocks;
    multiply(context, plan, gemm);
    finish_rows(context, product, !product.plain());
    return;
  }
  if (plan.left_pack) pack_operands(context, plan, false, gemm);
  const size_t panels = tiles_of(task.columns, kernels.gemm_columns);
  const size_t chunks = tiles_of(panels, room.group);
  BlockRoom free_blocks(room.blocks);
  context.parallel.run(chunks, [&](size_t chunk) {
    const size_t block = free_blocks.take();
    multiply_block(context, product, gemm, panels * chunk / chunks, panels * (chunk + 1) / chunks,
                   blocks + block * room.block_floats);
    free_blocks.give(block);
  });
}

void run_frozen_product(const Context& context, const Arguments& a) {
  if (a.size(FrozenProductAt::m) == 0 || a.size(FrozenProductAt::n) == 0) return;
  const Product product(context.kernels, a);
  if (few(product.task.rows, context.kernels)) return multiply_few_rows(context, product);
  if (product.form == WeightForm::f32) return multiply_f32(context, a, product);
  multiply_widened(context, a, product);
}

}  // namespace

constinit const Operation op_frozen_pack{"frozen_pack",     FrozenPackAt::all, false,
                                         check_frozen_pack, nullptr,           run_frozen_pack};
constinit const Operation op_frozen_product{"frozen_product",     FrozenProductAt::all,   false,
                                            check_frozen_product, scratch_frozen_product, run_frozen_product};

}  // namespace carillon
