// The pool does every chunk of every stage once, whoever helps, and shows what it wrote to the driver.
#include "../../native/runtime/thread_pool.h"

#include <chrono>
#include <thread>
#include <vector>

#include "check.h"

namespace carillon::test {

// Stages follow each other without a pause, so that late helpers meet later stages; leases grow and shrink.
TEST(thread_pool_does_every_chunk_once) {
  ThreadPool pool;
  size_t stages = 0;
  for (unsigned threads : {2u, 5u, 3u, 70u, 2u}) {
    const Parallel parallel(pool, threads);
    CHECK(parallel.threads() == threads);
    for (size_t chunks : {1u, 2u, 3u, 7u, 20u, 64u, 129u, 9000u}) {
      std::vector<uint32_t> times(chunks, 0);
      for (uint32_t turn = 1; turn <= 200; ++turn, ++stages) {
        parallel.run(chunks, [&](size_t i) { times[i] += turn; });
        bool once = true;
        for (const uint32_t sum : times) once = once && sum == turn * (turn + 1) / 2;
        CHECK_AT(once, "%u threads, %zu chunks, turn %u", threads, chunks, turn);
        if (!once) return;
      }
    }
  }
  CHECK(stages == 8000);
}

TEST(thread_pool_serves_one_driver_at_a_time) {
  ThreadPool pool;
  const Parallel first(pool, 3);
  const Parallel second(pool, 3);
  CHECK(first.threads() == 3);
  CHECK(second.threads() == 1);
  size_t sum = 0;
  second.run(10, [&](size_t i) { sum += i; });
  CHECK(sum == 45);
}

// A helper that was woken where the driver runs moves; afterwards it may use every processor again.
TEST(thread_pool_helpers_may_use_every_processor) {
  const std::vector<int> all = usable_processors();
  ThreadPool pool;
  for (int turn = 0; turn < 20; ++turn) {
    const Parallel parallel(pool, 3);
    std::atomic<int> others{0};
    parallel.run(64, [&](size_t) {
      if (usable_processors() != all) ++others;
    });
    CHECK_AT(others == 0, "turn %d: %d chunks with another mask", turn, others.load());
    std::this_thread::sleep_for(std::chrono::milliseconds(2));  // longer than helpers spin
  }
}

TEST(thread_pool_cuts_no_more_than_pays) {
  ThreadPool pool;
  const Parallel alone;
  CHECK(alone.chunks(1 << 30, 1) == 1);
  const Parallel parallel(pool, 2);
  CHECK(parallel.chunks(199, 100) == 1);
  CHECK(parallel.chunks(200, 100) == 2);
  CHECK(parallel.chunks(1000000, 100) == 8);
}

}  // namespace carillon::test
