#include "turns.h"

#include <algorithm>
#include <new>

namespace carillon {
namespace {

// 0: nobody has set it.
std::atomic<unsigned>& limit() {
  static std::atomic<unsigned> threads{0};
  return threads;
}

}  // namespace

unsigned thread_limit() {
  if (const unsigned set = limit().load(); set != 0) return set;
  static const auto processors = static_cast<unsigned>(usable_processors().size());
  return processors;
}

void set_thread_limit(unsigned threads) { limit() = std::max(threads, 1u); }

void set_default_thread_limit(unsigned threads) {
  unsigned nobody = 0;
  limit().compare_exchange_strong(nobody, std::max(threads, 1u));
}

std::shared_ptr<Turns> Turns::shared() {
  static std::mutex mutex;
  static std::weak_ptr<Turns> current;
  const std::lock_guard lock(mutex);
  std::shared_ptr<Turns> turns = current.lock();
  if (!turns) {
    turns = std::make_shared<Turns>();
    current = turns;
  }
  return turns;
}

void Turns::wake() {
  { const std::lock_guard lock(mutex_); }
  changed_.notify_all();
}

// With the lock held.
void Turns::notify() {
  for (const Class& each : classes_) {
    if (each.waiting != 0) return changed_.notify_all();
  }
}

unsigned Turns::available(Priority priority) const {
  const unsigned limit = thread_limit();
  if (priority == Priority::normal) return limit;
  const unsigned taken = class_of(Priority::normal).threads;
  return limit > taken ? limit - taken : 1;
}

bool Turns::may_begin(const Run& run) const {
  const Class& own = class_of(run.priority_);
  if (own.drivers >= available(run.priority_)) return false;
  for (const Run* other = own.first; other != nullptr; other = other->next_) {
    if (other->asked_ != 0 && other->asked_ < run.asked_) return false;
  }
  return true;
}

unsigned Turns::share(const Run& run) const {
  const Class& own = class_of(run.priority_);
  const unsigned threads = available(run.priority_);
  if (threads <= own.runs) return 1;
  size_t rank = 0;
  for (const Run* other = own.first; other != &run; other = other->next_) ++rank;
  const bool more = (rank + run.quanta_) % own.runs < threads % own.runs;
  return threads / own.runs + (more ? 1 : 0);
}

// With the lock held; null where there is no memory for one.
ThreadPool* Turns::take_pool(Priority priority) {
  Class& own = class_of(priority);
  for (Pool& pool : own.pools) {
    if (pool.taken) continue;
    pool.taken = true;
    return pool.threads.get();
  }
  try {
    own.pools.push_back({std::make_unique<ThreadPool>(priority), true});
    return own.pools.back().threads.get();
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

Turns::Run::Run(Turns& turns, Priority priority, bool waits) : turns_(turns), priority_(priority), waits_(waits) {
  const std::lock_guard lock(turns_.mutex_);
  Class& own = turns_.class_of(priority_);
  next_ = own.first;
  own.first = this;
  ++own.runs;
}

Turns::Run::~Run() {
  if (used_ != 0) end();  // an error left the turn
  const std::lock_guard lock(turns_.mutex_);
  Class& own = turns_.class_of(priority_);
  Run** link = &own.first;
  while (*link != this) link = &(*link)->next_;
  *link = next_;
  --own.runs;
  for (Pool& pool : own.pools) {
    if (pool.threads.get() == pool_) pool.taken = false;
  }
}

unsigned Turns::Run::begin(unsigned threads, const std::atomic<bool>& stop) {
  std::unique_lock lock(turns_.mutex_);
  Class& own = turns_.class_of(priority_);
  if (waits_) {
    asked_ = ++turns_.clock_;
    ++own.waiting;
    turns_.changed_.wait(lock, [&] { return stop.load() || turns_.may_begin(*this); });
    --own.waiting;
    asked_ = 0;
    if (stop.load()) {
      turns_.notify();  // who stood behind it
      return 0;
    }
  }
  used_ = std::min(threads, turns_.share(*this));
  if (used_ > 1 && pool_ == nullptr) pool_ = turns_.take_pool(priority_);
  if (pool_ == nullptr) used_ = 1;
  ++own.drivers;
  own.threads += used_;
  ++quanta_;
  if (turns_.may_begin(*this)) turns_.notify();  // there is room for another
  return used_;
}

void Turns::Run::end() {
  const std::lock_guard lock(turns_.mutex_);
  Class& own = turns_.class_of(priority_);
  --own.drivers;
  own.threads -= used_;
  used_ = 0;
  turns_.notify();
}

}  // namespace carillon
