// Turns of the event loop and waits. JavaScript's own timers give them only where nobody has put others in their place,
// as tests do that want to be the ones who say how late it is.
#pragma once

#include <napi.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <set>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

namespace carillon {

// Keeps the process alive while anything is under way, by a reference to the way back into JavaScript.
class Holds {
 public:
  explicit Holds(const Napi::ThreadSafeFunction& to_javascript) : to_javascript_(to_javascript) {}
  void hold(Napi::Env env) {
    if (count_++ == 0) to_javascript_.Ref(env);
  }
  void release(Napi::Env env) {
    if (count_ != 0 && --count_ == 0) to_javascript_.Unref(env);
  }

 private:
  Napi::ThreadSafeFunction to_javascript_;
  uint64_t count_ = 0;
};

// The clock of one environment, on its JavaScript thread.
class Clock {
 public:
  Clock(Napi::Env env, const Napi::ThreadSafeFunction& to_javascript, Holds& holds);
  Clock(const Clock&) = delete;
  Clock& operator=(const Clock&) = delete;

  // Milliseconds since some moment; they only grow.
  static double now();

  // Resolves when the event loop has come to all that waited before.
  Napi::Promise turn(Napi::Env env);

  // Calls `then` once, after so many milliseconds, unless stop_timer() is given the number that this gives.
  uint64_t start_timer(Napi::Env env, double milliseconds, const Napi::Function& then);
  void stop_timer(Napi::Env env, uint64_t number);

  // Joins the thread; nothing is called any more.
  void shut_down();

 private:
  using Time = std::chrono::steady_clock::time_point;
  struct Timer {
    Time when;
    Napi::FunctionReference then;
  };
  void fire(Napi::Env env, uint64_t number);
  void end_turn(Napi::Env env);
  void keep_time();

  // A thread-safe function whose callback calls it again is called at once, up to a thousand times, before the event
  // loop goes on. So a turn is a call of one from the callback of another; and of the one that was made before it, as
  // libuv looks at them in that order: from the callback of the one the other is called without a turn.
  Napi::ThreadSafeFunction to_javascript_;
  Napi::ThreadSafeFunction first_;
  Holds& holds_;
  std::vector<Napi::Promise::Deferred> waiting_;  // for the call of `first_`
  std::vector<Napi::Promise::Deferred> ending_;   // behind it, for the end of this turn
  std::unordered_map<uint64_t, Timer> timers_;
  uint64_t last_number_ = 0;

  std::thread keeper_;  // from the first timer on
  std::mutex mutex_;    // guards what follows
  std::condition_variable changed_;
  std::set<std::pair<Time, uint64_t>> due_;
  Time awake_at_ = Time::max();
  bool closed_ = false;
};

}  // namespace carillon
