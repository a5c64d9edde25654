// Products of the tests: operands, and the operations over them run as a program runs them.
#pragma once

#include "ops/operation.h"
#include "runtime/memory.h"
#include "samples.h"

namespace carillon::test {

// op(a) [m, k], op(b) [k, n], contiguous; stored transposed where asked.
struct Product {
  size_t m, n, k;
  bool a_transposed, b_transposed;
  Guarded a, b, c, bias;

  Product(size_t m_, size_t n_, size_t k_, bool a_transposed_, bool b_transposed_, Random& random)
      : m(m_),
        n(n_),
        k(k_),
        a_transposed(a_transposed_),
        b_transposed(b_transposed_),
        a(m * k, random.below(3)),
        b(n * k, random.below(3)),
        c(m * n, random.below(3)),
        bias(n, random.below(3)) {
    for (size_t i = 0; i < m * k; ++i) a[i] = random.uniform();
    for (size_t i = 0; i < n * k; ++i) b[i] = random.uniform();
    for (size_t i = 0; i < m * n; ++i) c[i] = random.uniform();
    for (size_t i = 0; i < n; ++i) bias[i] = random.uniform();
  }

  float left(size_t i, size_t p) { return a_transposed ? a[p * m + i] : a[i * k + p]; }
  float right(size_t p, size_t j) { return b_transposed ? b[j * k + p] : b[p * n + j]; }
};

// What is done to a product besides.
struct Ways {
  bool bias = false;
  bool accumulate = false;
  bool packed = false;
  Activation activation = Activation::identity;
};

// What an operation is given, in the order of its words. Lengths of views are the caller's word.
struct Given {
  std::span<void* const> views;
  std::span<const int64_t> ints;
  std::span<const double> doubles = {};

  Arguments arguments() const { return {views.data(), ints.data(), doubles.data(), ints.size(), doubles.size()}; }
};

// Runs an operation as a program would, on so many threads. A failed check, and no run, where it is given other than it
// states.
inline void run_operation(const Operation& operation, const Given& given, const KernelTable& table, unsigned threads,
                          const Registers& registers = {}) {
  const std::string wrong = refusal(operation, given.views, given.ints, given.doubles);
  CHECK_AT(wrong.empty(), "%s: %s", operation.name, wrong.c_str());
  if (!wrong.empty()) return;
  static ThreadPool pool;
  const Parallel parallel(pool, threads);
  Fault fault;
  const Arguments arguments = given.arguments();
  const size_t bytes = operation.scratch == nullptr ? 0 : operation.scratch(arguments, table);
  const AlignedBuffer scratch(bytes);
  operation.run({table, parallel, registers, scratch.data(), fault}, arguments);
}

inline int64_t dimension(size_t size) { return static_cast<int64_t>(size); }

// b of a product as its instruction takes it: as it is, or packed.
class RightOperand {
 public:
  RightOperand(Product& x, bool packed, const KernelTable& table, unsigned threads)
      : data_(x.b.data()),
        form_(packed           ? 2
              : x.b_transposed ? 1
                               : 0) {
    if (!packed) return;
    // Of a product of depth 0 something to point at.
    buffer_ = AlignedBuffer(tiles_of(x.n, kPackedColumns) * kPackedColumns * std::max<size_t>(x.k, 1) * sizeof(float));
    void* views[] = {data_, buffer_.data()};
    const int64_t ints[] = {dimension(x.n), dimension(x.k), x.b_transposed ? 1 : 0};
    run_operation(op_gemm_pack, {views, ints}, table, threads);
    data_ = reinterpret_cast<float*>(buffer_.data());
  }
  float* data() const { return data_; }
  int64_t form() const { return form_; }

 private:
  AlignedBuffer buffer_;
  float* data_;
  int64_t form_;
};

// c = the product, c: [m, n].
inline void multiply(Product& x, float* c, const Ways& ways, const KernelTable& table, unsigned threads = 1) {
  const RightOperand b(x, ways.packed, table, threads);
  void* views[] = {x.a.data(), b.data(), ways.bias ? x.bias.data() : nullptr, c};
  const int64_t ints[] = {dimension(x.m),         dimension(x.n), dimension(x.k),
                          x.a_transposed ? 1 : 0, b.form(),       static_cast<int64_t>(ways.activation),
                          ways.accumulate ? 1 : 0};
  run_operation(op_gemm, {views, ints}, table, threads);
}

}  // namespace carillon::test
