#include "workers.h"

#include <system_error>
#include <utility>

#include "relax.h"

namespace carillon {
namespace {

// Turns of the spin loop before a thread sleeps: about 20–50 µs, in which a caller that asks again and again comes
// back.
constexpr int kSpinTurns = 1000;

}  // namespace

bool Workers::post(std::function<void()> job, unsigned limit) {
  {
    const std::lock_guard lock(mutex_);
    if (idle_ <= jobs_.size() && threads_.size() < limit) {
      try {
        threads_.emplace_back([this] { work(); });
      } catch (const std::system_error&) {
        if (threads_.empty()) return false;
      }
    }
    jobs_.push_back(std::move(job));
    waiting_ = jobs_.size();
  }
  wake_.notify_one();
  return true;
}

void Workers::join() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  jobs_.clear();
}

void Workers::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    if (jobs_.empty() && !stop_) {
      lock.unlock();
      for (int turns = 0; turns < kSpinTurns && waiting_.load(std::memory_order_relaxed) == 0; ++turns) relax();
      lock.lock();
    }
    wake_.wait(lock, [&] { return stop_ || !jobs_.empty(); });
    --idle_;
    if (stop_) return;
    const std::function<void()> job = std::move(jobs_.front());
    jobs_.pop_front();
    waiting_ = jobs_.size();
    lock.unlock();
    job();
    lock.lock();
  }
}

}  // namespace carillon
