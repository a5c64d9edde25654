#include "clock.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <system_error>

#include "args.h"

namespace carillon {

Clock::Clock(Napi::Env env, const Napi::ThreadSafeFunction& to_javascript, Holds& holds)
    : to_javascript_(to_javascript),
      first_(Napi::ThreadSafeFunction::New(env, Napi::Function(), "carillon", 0, 1)),
      holds_(holds) {
  first_.Unref(env);
}

double Clock::now() {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

Napi::Promise Clock::turn(Napi::Env env) {
  waiting_.emplace_back(env);
  const Napi::Promise promise = waiting_.back().Promise();
  if (waiting_.size() > 1) return promise;
  holds_.hold(env);
  first_.NonBlockingCall([this](Napi::Env there, Napi::Function /*none*/) {
    if (static_cast<napi_env>(there) == nullptr) return;
    std::move(waiting_.begin(), waiting_.end(), std::back_inserter(ending_));
    waiting_.clear();
    to_javascript_.NonBlockingCall([this](Napi::Env here, Napi::Function /*none*/) {
      if (static_cast<napi_env>(here) != nullptr) end_turn(here);
    });
  });
  return promise;
}

void Clock::end_turn(Napi::Env env) {
  const std::vector<Napi::Promise::Deferred> ended = std::exchange(ending_, {});
  holds_.release(env);
  for (const Napi::Promise::Deferred& each : ended) each.Resolve(env.Undefined());
}

uint64_t Clock::start_timer(Napi::Env env, double milliseconds, const Napi::Function& then) {
  const uint64_t number = ++last_number_;
  const auto wait = std::chrono::duration_cast<Time::duration>(std::chrono::duration<double, std::milli>(milliseconds));
  const Time when = std::chrono::steady_clock::now() + wait;
  {
    const std::lock_guard lock(mutex_);
    if (!keeper_.joinable()) {
      try {
        keeper_ = std::thread([this] { keep_time(); });
      } catch (const std::system_error& error) {
        throw_error(env, "ERR_NATIVE", std::string("the system gives no thread for the clock: ") + error.what());
      }
    }
    due_.emplace(when, number);
    if (when < awake_at_) changed_.notify_one();
  }
  timers_.emplace(number, Timer{when, Napi::Persistent(then)});
  holds_.hold(env);
  return number;
}

void Clock::stop_timer(Napi::Env env, uint64_t number) {
  const auto found = timers_.find(number);
  if (found == timers_.end()) return;
  {
    const std::lock_guard lock(mutex_);
    due_.erase({found->second.when, number});
  }
  timers_.erase(found);
  holds_.release(env);
}

void Clock::fire(Napi::Env env, uint64_t number) {
  const auto found = timers_.find(number);
  if (found == timers_.end()) return;  // stopped meanwhile
  const Napi::Function then = found->second.then.Value();
  timers_.erase(found);
  holds_.release(env);
  then.Call({});
}

void Clock::keep_time() {
  std::unique_lock lock(mutex_);
  while (!closed_) {
    awake_at_ = due_.empty() ? Time::max() : due_.begin()->first;
    if (due_.empty()) {
      changed_.wait(lock);
    } else if (std::chrono::steady_clock::now() < awake_at_) {
      changed_.wait_until(lock, awake_at_);
    } else {
      const uint64_t number = due_.begin()->second;
      due_.erase(due_.begin());
      to_javascript_.NonBlockingCall([this, number](Napi::Env there, Napi::Function /*none*/) {
        if (static_cast<napi_env>(there) != nullptr) fire(there, number);
      });
    }
  }
}

void Clock::shut_down() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  changed_.notify_one();
  if (keeper_.joinable()) keeper_.join();
  waiting_.clear();
  ending_.clear();
  timers_.clear();
  first_.Abort();
}

}  // namespace carillon
