#include "thread_pool.h"

#include <algorithm>
#include <numeric>

#include "fp_environment.h"
#include "relax.h"

#if defined(__linux__)
#include <sched.h>
#endif

namespace carillon {
namespace {

// A ticket's word: 38 bits of the stage's number, 13 of the next chunk, 13 of the end.
constexpr int kChunkBits = 13;
constexpr uint64_t kMostChunks = (uint64_t{1} << kChunkBits) - 1;

constexpr uint64_t ticket_of(uint64_t stage, uint64_t next, uint64_t end) {
  return stage << (2 * kChunkBits) | next << kChunkBits | end;
}
constexpr uint64_t next_of(uint64_t word) { return word >> kChunkBits & kMostChunks; }
constexpr uint64_t end_of(uint64_t word) { return word & kMostChunks; }

// The processor that this thread runs on; −1 where that is not told.
int this_processor() {
#if defined(__linux__)
  return sched_getcpu();
#else
  return -1;
#endif
}

// Moves this thread to another processor, if it may use one: it is told to keep away from this one, then that it may
// use all again.
void leave_processor(int number) {
#if defined(__linux__)
  cpu_set_t all;
  if (number < 0 || number >= CPU_SETSIZE || sched_getaffinity(0, sizeof all, &all) != 0) return;
  cpu_set_t others = all;
  CPU_CLR(static_cast<size_t>(number), &others);
  if (CPU_COUNT(&others) == 0 || sched_setaffinity(0, sizeof others, &others) != 0) return;
  sched_setaffinity(0, sizeof all, &all);
#else
  static_cast<void>(number);
#endif
}

// Turns of the spin loop before a helper parks: about 20–50 µs, longer than the gap between two stages of one program.
constexpr int kSpinTurns = 2000;

}  // namespace

std::vector<int> usable_processors() {
  std::vector<int> processors;
#if defined(__linux__)
  // A mask without room for all processors of the machine is refused: then a longer one is tried.
  for (size_t length = 1; length <= 64 && processors.empty(); length *= 2) {
    std::vector<cpu_set_t> mask(length);
    if (sched_getaffinity(0, length * sizeof(cpu_set_t), mask.data()) != 0) continue;
    for (size_t number = 0; number < length * CPU_SETSIZE; ++number) {
      if (CPU_ISSET(number % CPU_SETSIZE, &mask[number / CPU_SETSIZE])) processors.push_back(static_cast<int>(number));
    }
  }
#endif
  if (processors.empty()) {
    processors.resize(std::max(std::thread::hardware_concurrency(), 1u));
    std::iota(processors.begin(), processors.end(), 0);
  }
  return processors;
}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard lock(park_);
    stop_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

bool ThreadPool::try_lease(unsigned helpers) {
  if (!lease_.try_lock()) return false;
  try {
    while (threads_.size() < helpers) {
      const auto index = static_cast<unsigned>(threads_.size());
      threads_.emplace_back([this, index] { work(index); });
    }
  } catch (...) {
    // The system gives no more threads: those that exist will do.
  }
  processor_.store(this_processor(), std::memory_order_relaxed);
  helpers_ = helpers;
  return true;
}

void ThreadPool::release() {
  helpers_ = 0;
  lease_.unlock();
}

bool ThreadPool::ready(unsigned index) const {
  const uint64_t word = tickets_[(index + 1) % kTickets].word.load();
  return next_of(word) != end_of(word) && index < helpers_.load();
}

// Claims and does one chunk, of the front or of the end; false when none is left.
bool ThreadPool::claim(Ticket& ticket, bool front) {
  uint64_t word = ticket.word.load(std::memory_order_acquire);
  while (next_of(word) != end_of(word)) {
    // Read before the claim: a successful compare-exchange proves that the stage they belong to was still open.
    const Chunk chunk = chunk_.load(std::memory_order_relaxed);
    void* const context = context_.load(std::memory_order_relaxed);
    const uint64_t rest = front ? word + (uint64_t{1} << kChunkBits) : word - 1;
    if (!ticket.word.compare_exchange_weak(word, rest, std::memory_order_acq_rel, std::memory_order_acquire)) continue;
    chunk(context, static_cast<size_t>(front ? next_of(word) : end_of(word) - 1));
    done_.chunks.fetch_add(1);  // sequentially consistent, against asleep_
    if (asleep_.load()) {
      { const std::lock_guard lock(park_); }
      finished_.notify_one();
    }
    return true;
  }
  return false;
}

void ThreadPool::claim_until_empty(size_t own, size_t tickets) {
  for (size_t i = 0; i < tickets; ++i) {
    while (claim(tickets_[(own + i) % tickets], i == 0)) {
    }
  }
}

void ThreadPool::run(size_t chunks, Chunk chunk, void* context) {
  if (chunks > kMostChunks) {
    for (size_t i = 0; i < chunks; ++i) chunk(context, i);
    return;
  }
  chunk_.store(chunk, std::memory_order_relaxed);
  context_.store(context, std::memory_order_relaxed);
  done_.chunks.store(0, std::memory_order_relaxed);
  ++stage_;
  const size_t tickets = std::min<size_t>(helpers_.load(std::memory_order_relaxed) + 1, kTickets);
  for (size_t t = tickets; t-- > 0;) {
    // sequentially consistent, against parked_
    tickets_[t].word.store(ticket_of(stage_, chunks * t / tickets, chunks * (t + 1) / tickets));
  }
  if (parked_.load() != 0) {
    { const std::lock_guard lock(park_); }
    wake_.notify_all();
  }
  claim_until_empty(0, tickets);
  for (int turns = 0; done_.chunks.load(std::memory_order_acquire) != chunks; ++turns) {
    if (turns < kSpinTurns) {
      relax();
    } else {
      sleep_until_done(chunks);
    }
  }
}

// A helper was taken off its core with a chunk in its hands. This core becomes free for it: the system moves a thread
// that waits for its turn to an idle core at once, while one that spins or yields would keep it waiting for a whole
// time slice of the process that took its place.
void ThreadPool::sleep_until_done(size_t chunks) {
  std::unique_lock lock(park_);
  asleep_.store(true);
  finished_.wait(lock, [&] { return done_.chunks.load() == chunks; });
  asleep_.store(false);
}

void ThreadPool::work(unsigned index) {
  const FpEnvironment environment;
  if (priority_ == Priority::background) lower_priority();
  int turns = 0;
  while (!stop_.load(std::memory_order_relaxed)) {
    if (ready(index)) {
      claim_until_empty((index + 1) % kTickets, std::min<size_t>(helpers_.load() + 1, kTickets));
      turns = 0;
    } else if (++turns < kSpinTurns) {
      relax();
    } else {
      std::unique_lock lock(park_);
      ++parked_;
      wake_.wait(lock, [&] { return stop_.load() || ready(index); });
      --parked_;
      lock.unlock();
      // The system may wake it where the driver runs, although other processors are idle, and there it would wait until
      // the driver waits for it: for calls of less than a millisecond always, as nothing moves it in so short a time.
      const int here = this_processor();
      if (here >= 0 && here == processor_.load(std::memory_order_relaxed)) leave_processor(here);
      turns = 0;
    }
  }
}

Parallel::Parallel(ThreadPool& pool, unsigned threads) {
  if (threads < 2 || !pool.try_lease(threads - 1)) return;
  pool_ = &pool;
  threads_ = threads;
}

Parallel::~Parallel() {
  if (pool_ != nullptr) pool_->release();
}

size_t Parallel::chunks(size_t work, size_t least) const {
  if (threads_ == 1 || least == 0) return 1;
  const size_t most = static_cast<size_t>(threads_) * 4;
  const size_t wanted = work / least;
  return wanted < 2 ? 1 : (wanted < most ? wanted : most);
}

}  // namespace carillon
