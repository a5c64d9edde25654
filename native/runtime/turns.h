// Shares the threads that compute among the runs of a process. A run works in quanta; before each it asks how many
// threads it may use: an even share of the limit among the runs that are under way, where a remainder goes round. Where
// there are more runs than the limit has threads they take turns, first come, first served. Who computes never changes
// what is computed.
//
// Background runs have threads of their own, since a priority that was lowered cannot be raised again. They share what
// the others leave of the limit, at least one thread.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "priority.h"
#include "thread_pool.h"

namespace carillon {

// Threads that compute at once in this process, at least 1: what was set, or the processors that it may use.
unsigned thread_limit();
void set_thread_limit(unsigned threads);
// Sets it where nobody has.
void set_default_thread_limit(unsigned threads);

class Turns {
 public:
  // Those of the process, alive while somebody holds them; the threads are joined when the last holder lets go.
  static std::shared_ptr<Turns> shared();

  Turns() = default;
  Turns(const Turns&) = delete;
  Turns& operator=(const Turns&) = delete;

  // Makes waiting runs look whether they were stopped.
  void wake();

  // A run under way, for as long as it lives; on the thread that drives it.
  class Run {
   public:
    // `waits`: takes turns with other runs. Work that somebody waits for, such as a prediction, does not.
    Run(Turns& turns, Priority priority, bool waits);
    ~Run();
    Run(const Run&) = delete;
    Run& operator=(const Run&) = delete;

    // Waits for a turn; gives how many of `threads` ≥ 1 it may use, this one included, or 0 when `stop` was set
    // meanwhile. Every turn but such a one is followed by end().
    unsigned begin(unsigned threads, const std::atomic<bool>& stop);
    void end();

    // Its helpers, nobody else's while it lives. Only after a begin() that gave more than one thread.
    ThreadPool& pool() { return *pool_; }

   private:
    friend class Turns;
    Turns& turns_;
    Run* next_ = nullptr;  // of its class
    ThreadPool* pool_ = nullptr;
    uint64_t asked_ = 0;  // when it joined the queue, 0: it does not wait
    size_t quanta_ = 0;
    unsigned used_ = 0;  // threads of the quantum under way
    const Priority priority_;
    const bool waits_;
  };

 private:
  struct Pool {
    std::unique_ptr<ThreadPool> threads;
    bool taken;
  };
  // The runs of a priority.
  struct Class {
    Run* first = nullptr;
    std::vector<Pool> pools;  // those of former runs stay, parked
    unsigned runs = 0;
    unsigned drivers = 0;  // runs in a quantum
    unsigned threads = 0;  // that they use
    unsigned waiting = 0;
  };

  Class& class_of(Priority priority) { return classes_[static_cast<size_t>(priority)]; }
  const Class& class_of(Priority priority) const { return classes_[static_cast<size_t>(priority)]; }
  ThreadPool* take_pool(Priority priority);
  unsigned available(Priority priority) const;
  bool may_begin(const Run& run) const;
  unsigned share(const Run& run) const;
  void notify();

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::array<Class, 2> classes_;
  uint64_t clock_ = 0;
};

}  // namespace carillon
