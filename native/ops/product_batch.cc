// Many matrix products of one shape.
#include <algorithm>

#include "../runtime/memory.h"
#include "gemm_run.h"
#include "operation.h"

namespace carillon {
namespace {

// a, b, c: so many matrices one behind another.
struct GemmBatchAt {
  static constexpr Operands all{"a:f b:f c:F", "products:d m:i n:i k:i transpose_a:b? transpose_b:b?", ""};
  static constexpr size_t a = all.view("a"), b = all.view("b"), c = all.view("c");
  static constexpr size_t products = all.integer("products"), m = all.integer("m"), n = all.integer("n"),
                          k = all.integer("k"), transpose_a = all.integer("transpose_a"),
                          transpose_b = all.integer("transpose_b");
};

// Products that are computed at once have room of their own, this many floats in all at most unless one takes more.
constexpr size_t kRoomFloats = 1 << 20;
constexpr size_t kMostRooms = 16;

GemmShape batch_shape_of(const Arguments& a) {
  return {a.size(GemmBatchAt::m),
          a.size(GemmBatchAt::n),
          a.size(GemmBatchAt::k),
          a.ints[GemmBatchAt::transpose_a] != 0,
          a.ints[GemmBatchAt::transpose_b] != 0 ? Layout::transposed : Layout::plain,
          false};
}

void check_gemm_batch(const Arguments& a, Requirements& r) {
  for (const size_t i : {GemmBatchAt::m, GemmBatchAt::n, GemmBatchAt::k}) {
    if (a.ints[i] < 1) {
      r.fail("a product of nothing");
      return;
    }
  }
  // Sizes are int32 words: their products fit.
  r.need(GemmBatchAt::a, a.size(GemmBatchAt::products), a.size(GemmBatchAt::m) * a.size(GemmBatchAt::k));
  r.need(GemmBatchAt::b, a.size(GemmBatchAt::products), a.size(GemmBatchAt::k) * a.size(GemmBatchAt::n));
  r.need(GemmBatchAt::c, a.size(GemmBatchAt::products), a.size(GemmBatchAt::m) * a.size(GemmBatchAt::n));
}

size_t room_floats(const Arguments& a, const KernelTable& kernels) {
  return round_up(most_floats(batch_shape_of(a), kernels), kAlignment / sizeof(float));
}

size_t rooms(const Arguments& a, size_t floats) {
  const size_t fit = floats == 0 ? kMostRooms : std::min(kMostRooms, kRoomFloats / floats);
  return std::max<size_t>(std::min(fit, a.size(GemmBatchAt::products)), 1);
}

size_t scratch_gemm_batch(const Arguments& a, const KernelTable& kernels) {
  const size_t floats = room_floats(a, kernels);
  return rooms(a, floats) * floats * sizeof(float);
}

void multiply_one(const Context& context, const Arguments& a, const GemmPlan& plan, size_t product) {
  const size_t m = a.size(GemmBatchAt::m), n = a.size(GemmBatchAt::n), k = a.size(GemmBatchAt::k);
  const float* const left = a.view<const float>(GemmBatchAt::a) + product * m * k;
  const float* const right = a.view<const float>(GemmBatchAt::b) + product * k * n;
  GemmTask task{};
  task.left = plan.swapped ? right : left;
  task.left_row_stride = plan.left_along_rows ? 1 : k;
  task.left_depth_stride = plan.left_along_rows ? plan.rows : 1;
  task.right = plan.swapped ? left : right;
  task.right_stride = plan.right_along_depth ? k : plan.swapped ? m : n;
  task.right_along_depth = plan.right_along_depth;
  task.rows = plan.rows;
  task.columns = plan.columns;
  task.k = k;
  task.transposed = plan.swapped;
  task.c = a.view<float>(GemmBatchAt::c) + product * m * n;
  task.c_stride = n;
  multiply(context, plan, task);
}

// Each product as gemm computes it: side by side, one thread each, where there are enough of them, else one after
// another.
void run_gemm_batch(const Context& context, const Arguments& a) {
  const size_t products = a.size(GemmBatchAt::products);
  if (products == 0) return;
  const GemmPlan plan = plan_of(batch_shape_of(a), context.kernels);
  const size_t flops = 2 * a.size(GemmBatchAt::m) * a.size(GemmBatchAt::n) * a.size(GemmBatchAt::k);
  const size_t floats = room_floats(a, context.kernels);
  const size_t chunks = std::min(context.parallel.chunks(products * flops, kLeastFlops), rooms(a, floats));
  if (chunks < std::min<size_t>(context.parallel.threads(), 2) || products < context.parallel.threads()) {
    for (size_t product = 0; product < products; ++product) multiply_one(context, a, plan, product);
    return;
  }
  context.parallel.run(chunks, [&](size_t chunk) {
    const Parallel alone;
    float* const room = static_cast<float*>(context.scratch) + chunk * floats;
    const Context own{context.kernels, alone, context.registers, room, context.fault};
    const size_t end = products * (chunk + 1) / chunks;
    for (size_t product = products * chunk / chunks; product < end; ++product) multiply_one(own, a, plan, product);
  });
}

}  // namespace

constinit const Operation op_gemm_batch{"gemm_batch",     GemmBatchAt::all,   false,
                                        check_gemm_batch, scratch_gemm_batch, run_gemm_batch};

}  // namespace carillon
