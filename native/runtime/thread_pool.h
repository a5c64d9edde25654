// Helper threads for the stages of a program. A stage is cut into more chunks than threads. Every thread has a ticket
// for an even share of neighbouring chunks, the same from stage to stage, so that data stays in the cache of its core;
// who is done takes from the ends of the others. The stage ends when its chunks are done, not when every helper has
// arrived: a helper that the operating system holds back costs nothing but the chunk in its hands. Who computes never
// changes what is computed.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#include "priority.h"

namespace carillon {

// Numbers of the processors that this process may use: its affinity mask on Linux, elsewhere as many as there are, from
// 0. At least one.
std::vector<int> usable_processors();

class ThreadPool {
 public:
  using Chunk = void (*)(void* context, size_t index);

  explicit ThreadPool(Priority priority = Priority::normal) : priority_(priority) {}
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // Exclusive use of the helpers, for one driver at a time; false when another has them (the caller then works alone).
  // Starts helpers up to `helpers`.
  bool try_lease(unsigned helpers);
  void release();

  // Calls chunk(context, i) once for every i < chunks, on this thread and the leased helpers. Returns when all are
  // done. Lease required. Memory written by chunks is visible to the caller.
  void run(size_t chunks, Chunk chunk, void* context);

 private:
  // Chunks [next, end) of a stage that nobody has claimed: the stage's number above them, so that a late thread can
  // never claim a chunk of a later stage with the function of an earlier one.
  struct alignas(64) Ticket {
    std::atomic<uint64_t> word{0};
  };
  static constexpr size_t kTickets = 64;  // more threads than that share them
  struct alignas(64) Done {
    std::atomic<uint32_t> chunks{0};
  };

  void work(unsigned index);
  void claim_until_empty(size_t own, size_t tickets);
  bool claim(Ticket& ticket, bool front);
  void sleep_until_done(size_t chunks);
  bool ready(unsigned index) const;

  Ticket tickets_[kTickets];  // the driver's first, then the helpers'
  Done done_;
  // Read by all while a stage is open.
  std::atomic<Chunk> chunk_{nullptr};
  std::atomic<void*> context_{nullptr};
  std::atomic<unsigned> helpers_{0};  // helpers with a smaller index may claim
  std::atomic<unsigned> parked_{0};
  std::atomic<int> processor_{-1};  // of the driver when it took the helpers
  std::atomic<bool> stop_{false};
  std::atomic<bool> asleep_{false};

  const Priority priority_;
  uint64_t stage_ = 0;  // the driver's
  std::vector<std::thread> threads_;
  std::mutex lease_;  // held by the driver that leases
  std::mutex park_;
  std::condition_variable wake_;
  std::condition_variable finished_;  // for the driver, when it sleeps through the end of its stage
};

// How the stages of one driver are run: alone, or with leased helpers.
class Parallel {
 public:
  Parallel() = default;  // this thread only
  Parallel(ThreadPool& pool, unsigned threads);
  ~Parallel();
  Parallel(const Parallel&) = delete;
  Parallel& operator=(const Parallel&) = delete;

  // Threads that take part, this one included.
  unsigned threads() const { return threads_; }

  template <typename Function>
  void run(size_t chunks, const Function& function) const {
    if (threads_ == 1 || chunks < 2) {
      for (size_t i = 0; i < chunks; ++i) function(i);
      return;
    }
    pool_->run(
        chunks, [](void* context, size_t index) { (*static_cast<const Function*>(context))(index); },
        const_cast<void*>(static_cast<const void*>(&function)));
  }

  // The number of chunks for `work` units when a chunk should hold at least `least` of them; 1 where threads do not
  // pay.
  size_t chunks(size_t work, size_t least) const;

 private:
  ThreadPool* pool_ = nullptr;
  unsigned threads_ = 1;
};

}  // namespace carillon
