// How a planned product is run: what products and products of frozen weights share.
#pragma once

#include <atomic>
#include <bit>

#include "gemm_plan.h"

namespace carillon {

// Floating-point operations below which a second thread costs more than it brings; to bring a float counts as many of
// them as pass meanwhile.
inline constexpr size_t kLeastFlops = 1 << 18;
inline constexpr size_t kFlopsAFloat = 8;

// Packed panels that are walked at once, with a whole chunk of k: they stay in the second-level cache (1 MB or more on
// the cores it was tuned for).
inline constexpr size_t kBlockBytes = 384 << 10;

// Room for a block of packed panels for every thread that works at once, [0, count).
class BlockRoom {
 public:
  explicit BlockRoom(size_t count) : free_(count < kMost ? (uint64_t{1} << count) - 1 : ~uint64_t{0}) {}
  static constexpr size_t kMost = 64;

  // The lowest that is free, so that few are used and stay in cache. As many threads as blocks at most.
  size_t take() {
    uint64_t seen = free_.load(std::memory_order_relaxed);
    while (seen == 0 || !free_.compare_exchange_weak(seen, seen & (seen - 1), std::memory_order_acquire)) {
      if (seen == 0) seen = free_.load(std::memory_order_relaxed);
    }
    return static_cast<size_t>(std::countr_zero(seen));
  }
  void give(size_t block) { free_.fetch_or(uint64_t{1} << block, std::memory_order_release); }

 private:
  std::atomic<uint64_t> free_;
};

// Packs what the plan wants packed, `right` only where it is wanted whole, as one stage.
void pack_operands(const Context& context, const GemmPlan& plan, bool right_whole, GemmTask& task);

// `task` as the plan says, over the threads of the context.
void multiply(const Context& context, const GemmPlan& plan, GemmTask& task);

}  // namespace carillon
