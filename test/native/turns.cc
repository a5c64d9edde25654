// Runs of one process share its threads: even parts, turns where there are more runs than threads, background work on
// threads of its own.
#include "../../native/runtime/turns.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <thread>

#include "check.h"

#if defined(__linux__)
#include <sys/resource.h>
#endif

namespace carillon::test {
namespace {

const std::atomic<bool> kNever{false};

// The threads that a run may use in each of `quanta` turns.
std::vector<unsigned> shares(Turns::Run& run, unsigned threads, size_t quanta) {
  std::vector<unsigned> given;
  for (size_t i = 0; i < quanta; ++i) {
    given.push_back(run.begin(threads, kNever));
    run.end();
  }
  return given;
}

}  // namespace

TEST(turns_share_the_limit_evenly) {
  set_thread_limit(7);
  Turns turns;
  Turns::Run first(turns, Priority::normal, true);
  CHECK(shares(first, 100, 2) == std::vector<unsigned>({7, 7}));
  CHECK(shares(first, 3, 1) == std::vector<unsigned>({3}));
  {
    Turns::Run second(turns, Priority::normal, true);
    // 7 threads for two: 3 and 4 in turn, for both alike.
    const std::vector<unsigned> one = shares(first, 100, 6), other = shares(second, 100, 6);
    CHECK(std::count(one.begin(), one.end(), 3u) == 3 && std::count(one.begin(), one.end(), 4u) == 3);
    CHECK(std::count(other.begin(), other.end(), 3u) == 3 && std::count(other.begin(), other.end(), 4u) == 3);
    set_thread_limit(2);
    CHECK(shares(first, 100, 2) == std::vector<unsigned>({1, 1}));
    set_thread_limit(7);
  }
  CHECK(shares(first, 100, 1) == std::vector<unsigned>({7}));
}

TEST(turns_keep_the_limit_and_go_round) {
  set_thread_limit(2);
  constexpr size_t kRuns = 5;
  Turns turns;
  std::atomic<unsigned> computing{0}, most{0}, present{0};
  std::atomic<bool> over{false};
  std::vector<size_t> quanta(kRuns, 0);
  std::vector<std::thread> drivers;
  drivers.reserve(kRuns);
  for (size_t i = 0; i < kRuns; ++i) {
    drivers.emplace_back([&, i] {
      Turns::Run run(turns, Priority::normal, true);
      ++present;
      while (present.load() < kRuns) std::this_thread::yield();
      while (!over) {
        const unsigned threads = run.begin(2, kNever);
        const unsigned now = computing += threads;
        for (unsigned seen = most.load(); seen < now && !most.compare_exchange_weak(seen, now);) {
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        computing -= threads;
        run.end();
        if (++quanta[i] == 40) over = true;
      }
    });
  }
  for (std::thread& driver : drivers) driver.join();
  CHECK(most.load() == 2);
  // First come, first served: nobody is served twice while somebody waits, whatever the system's scheduler does, except
  // who came late to the queue.
  const auto [least, greatest] = std::minmax_element(quanta.begin(), quanta.end());
  CHECK_AT(*least >= *greatest / 2, "%zu to %zu turns", *least, *greatest);
}

TEST(turns_wake_who_is_told_to_stop) {
  set_thread_limit(1);
  Turns turns;
  Turns::Run holder(turns, Priority::normal, true);
  CHECK(holder.begin(1, kNever) == 1);
  std::atomic<bool> stop{false};
  std::thread waiter([&] {
    Turns::Run run(turns, Priority::normal, true);
    CHECK(run.begin(1, stop) == 0);
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(2));
  stop = true;
  turns.wake();
  waiter.join();  // although the holder is still at work
  {
    Turns::Run prompt(turns, Priority::normal, false);
    CHECK(prompt.begin(4, kNever) == 1);
    prompt.end();
  }
  holder.end();
}

TEST(turns_of_the_background_take_what_is_left) {
  set_thread_limit(4);
  Turns turns;
  Turns::Run background(turns, Priority::background, true);
  CHECK(background.begin(8, kNever) == 4);
  background.end();
  Turns::Run normal(turns, Priority::normal, true);
  CHECK(normal.begin(3, kNever) == 3);
  CHECK(background.begin(8, kNever) == 1);
  background.end();
  normal.end();
  CHECK(normal.begin(4, kNever) == 4);
  CHECK(background.begin(8, kNever) == 1);  // never none
  background.end();
  normal.end();
  CHECK(background.begin(8, kNever) == 4);
  background.end();
}

#if defined(__linux__)
TEST(turns_give_background_runs_helpers_of_low_priority) {
  set_thread_limit(3);
  const int own = getpriority(PRIO_PROCESS, 0);
  for (const Priority priority : {Priority::normal, Priority::background}) {
    Turns turns;
    const int wanted = priority == Priority::background ? std::min(own + 10, 19) : own;
    std::thread driver([&] {
      if (priority == Priority::background) lower_priority();
      Turns::Run run(turns, priority, true);
      const unsigned threads = run.begin(3, kNever);
      CHECK(threads == 3);
      const Parallel parallel(run.pool(), threads);
      std::vector<int> niceness(64);
      std::vector<std::thread::id> who(64);
      bool right = true, helped = false;
      // Until the helpers come.
      for (int round = 0; round < 1000 && !helped; ++round) {
        parallel.run(niceness.size(), [&](size_t i) {
          niceness[i] = getpriority(PRIO_PROCESS, 0);
          who[i] = std::this_thread::get_id();
          std::this_thread::sleep_for(std::chrono::microseconds(20));
        });
        for (size_t i = 0; i < niceness.size(); ++i) {
          right = right && niceness[i] == wanted;
          helped = helped || who[i] != std::this_thread::get_id();
        }
      }
      CHECK(right);
      CHECK(helped);
      run.end();
    });
    driver.join();
  }
  CHECK(getpriority(PRIO_PROCESS, 0) == own);
}
#endif

}  // namespace carillon::test
