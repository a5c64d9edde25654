// Products of operands with strides of their own.
#pragma once

#include "gemm_run.h"
#include "operation.h"

namespace carillon {

struct Product {
  const float* left;
  size_t left_stride;  // between rows of left, which lie along k, or along m where `transposed`
  bool transposed;
  const float* right;
  size_t right_stride;  // between rows of right, which lie along n, or along k where `along_depth`
  bool along_depth;
  const float* bias;
  float* c;
  size_t c_stride;
  size_t m, n, k;

  GemmShape shape() const { return {m, n, k, transposed, along_depth ? Layout::transposed : Layout::plain, false}; }
};

inline void compute(const Context& context, void* scratch, const Product& p) {
  if (p.m == 0 || p.n == 0) return;
  const GemmPlan plan = plan_of(p.shape(), context.kernels);
  GemmTask task{};
  task.left = plan.swapped ? p.right : p.left;
  const size_t left_stride = plan.swapped ? p.right_stride : p.left_stride;
  task.left_row_stride = plan.left_along_rows ? 1 : left_stride;
  task.left_depth_stride = plan.left_along_rows ? left_stride : 1;
  task.right = plan.swapped ? p.left : p.right;
  task.right_stride = plan.swapped ? p.left_stride : p.right_stride;
  task.right_along_depth = plan.right_along_depth;
  task.rows = plan.rows;
  task.columns = plan.columns;
  task.k = p.k;
  task.transposed = plan.swapped;
  task.c = p.c;
  task.c_stride = p.c_stride;
  task.bias = p.bias;
  const Context own{context.kernels, context.parallel, context.registers, scratch, context.fault};
  multiply(own, plan, task);
}

}  // namespace carillon
