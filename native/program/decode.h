// From words to instructions: decoding, verification against bound memory, and running one instruction.
//
// An instruction is int32 words: operation, number of views, of ints, of doubles; then the views (index into the view
// table, −1 = absent), the ints, and the doubles as two words each, low half first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "../ops/operation.h"

namespace carillon {

// What was wrong with code or bindings. Never leaves napi/ as a C++ exception.
class ProgramError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Memory that a view refers to.
struct BoundView {
  std::byte* data = nullptr;
  size_t count = 0;  // elements at the largest batch
  Dtype dtype = Dtype::f32;
  bool writable = false;
};

// One verified instruction. `batch_ints` keeps the dimensions as written; resolve() gives them for a batch.
class Instruction {
 public:
  // Decodes the instruction at words[at], advances `at`, and verifies it for every batch of at most `max_rows` rows:
  // operand counts, dtypes, lengths, writability, overlap. Throws ProgramError.
  Instruction(std::span<const int32_t> words, size_t& at, std::span<const BoundView> views, size_t max_rows);

  void resolve(size_t rows);
  // The memory of a view, of the length that was verified.
  void rebind(size_t view, void* data) { views_[view] = data; }
  size_t view_count() const { return views_.size(); }
  // All views, whose memory lies elsewhere now.
  void rebind(std::span<const BoundView> views);
  size_t scratch_bytes(const KernelTable& kernels) const;
  void run(const Context& context) const { operation_->run(context, arguments()); }
  const Operation& operation() const { return *operation_; }
  Arguments arguments() const { return {views_.data(), ints_.data(), doubles_.data(), ints_.size(), doubles_.size()}; }

 private:
  void verify(std::span<const BoundView> views, std::span<const int32_t> indices) const;

  const Operation* operation_ = nullptr;
  std::vector<void*> views_;
  std::vector<int32_t> indices_;  // of the views
  std::vector<int64_t> written_;  // dimensions as written: negative ones count batches
  std::vector<int64_t> ints_;
  std::vector<double> doubles_;
  size_t dimensions_ = 0;
};

}  // namespace carillon
