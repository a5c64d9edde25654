// Threads that stay for short work that somebody waits for: to start one takes as long as the work. As many as work at
// once, up to a limit; one that is done looks for more for a moment before it sleeps.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace carillon {

class Workers {
 public:
  Workers() = default;
  ~Workers() { join(); }
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  // Does `job` on one of at most `limit` threads, in the order of the calls. False where the system gives no thread.
  bool post(std::function<void()> job, unsigned limit);

  // Ends the threads; jobs that nobody has begun are dropped.
  void join();

 private:
  void work();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> jobs_;
  std::vector<std::thread> threads_;
  size_t idle_ = 0;                 // threads that look for work
  std::atomic<size_t> waiting_{0};  // jobs, for who looks without the lock
  bool stop_ = false;
};

}  // namespace carillon
