// A slab: flat native memory with one dtype (parameters, states, bound data). A program that writes it holds it alone.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include "../ops/operation.h"
#include "../runtime/memory.h"

namespace carillon {

// Until nobody reads any more: what readers do takes long where it is not over at once.
inline void await_none(const std::atomic<int>& readers) {
  while (readers.load() != 0) std::this_thread::sleep_for(std::chrono::microseconds(50));
}

// Lets readers in between two steps of a running program, beside each other: the runner holds it for a step and yields
// to who waits. A step costs one lock of a mutex (those of std::shared_mutex cost small steps a twentieth of their
// time): readers take it to be counted, and whoever has it alone waits until they are done.
class StepGate {
 public:
  void begin_step() {
    while (waiting_.load() != 0) std::this_thread::yield();
    mutex_.lock();
    await_none(readers_);
  }
  void end_step() { mutex_.unlock(); }

  // For who stays alone between two steps until it lets go.
  void enter() {
    ++waiting_;
    mutex_.lock();
    --waiting_;
    await_none(readers_);
  }
  bool try_enter() {
    if (!mutex_.try_lock()) return false;
    if (readers_.load() == 0) return true;
    mutex_.unlock();
    return false;
  }
  void leave() { mutex_.unlock(); }

  // For who writes between two steps.
  template <typename Write>
  void alone(const Write& write) {
    enter();
    const std::lock_guard lock(mutex_, std::adopt_lock);
    write();
  }

  // For who reads, beside others that do.
  template <typename Read>
  void between_steps(const Read& read) {
    ++waiting_;
    {
      const std::lock_guard lock(mutex_);
      --waiting_;
      ++readers_;
    }
    const Counted counted(readers_);
    read();
  }

 private:
  // A reader until it is left, be it by an error.
  class Counted {
   public:
    explicit Counted(std::atomic<int>& readers) : readers_(readers) {}
    ~Counted() { --readers_; }
    Counted(const Counted&) = delete;
    Counted& operator=(const Counted&) = delete;

   private:
    std::atomic<int>& readers_;
  };

  std::mutex mutex_;
  std::atomic<int> waiting_{0};
  std::atomic<int> readers_{0};
};

class Slab {
 public:
  Slab(size_t count, Dtype dtype) : buffer_(count * bytes_of(dtype)), count_(count), dtype_(dtype) {}

  std::byte* data() const { return buffer_.data(); }
  size_t count() const { return count_; }
  size_t bytes() const { return buffer_.bytes(); }
  Dtype dtype() const { return dtype_; }
  StepGate& gate() { return gate_; }

  // Leases of one native call: one writer or any number of readers. False when the slab is taken.
  bool lease(bool write) {
    int current = leases_.load();
    for (;;) {
      if (write ? current != 0 : current < 0) return false;
      if (leases_.compare_exchange_weak(current, write ? -1 : current + 1)) return true;
    }
  }
  void release(bool write) { leases_ += write ? 1 : -1; }
  bool written_by_a_run() const { return leases_.load() < 0; }
  bool leased() const { return leases_.load() != 0; }

  // Copies that other threads are still to make: the JavaScript thread, which asks for them, waits for them before it
  // writes.
  void expect_copy() { ++copies_; }
  void end_copy() { --copies_; }
  void await_copies() const { await_none(copies_); }

  // Exchanges the memory of two slabs of one size that nobody has leased or is copying. Programs look where it is at
  // the beginning of every run, and those that read between steps as they begin to.
  void swap(Slab& other) {
    gate_.enter();
    other.gate_.enter();
    std::swap(buffer_, other.buffer_);
    other.gate_.leave();
    gate_.leave();
  }

  static size_t bytes_of(Dtype dtype) { return dtype == Dtype::u8 ? 1 : 4; }

 private:
  AlignedBuffer buffer_;
  size_t count_;
  Dtype dtype_;
  StepGate gate_;
  std::atomic<int> leases_{0};
  std::atomic<int> copies_{0};
};

}  // namespace carillon
