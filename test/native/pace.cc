// Whether the helpers of a run pay is found by timing, and found again when it changes.
#include "program/pace.h"

#include "check.h"

namespace carillon::test {
namespace {

// A machine on which a step takes so many seconds; windows of 10 steps.
struct Machine {
  double with;
  double without;
  Pace pace;
  size_t helped = 0;  // windows, of the last call
  size_t alone = 0;

  void run(size_t windows) {
    helped = alone = 0;
    for (size_t i = 0; i < windows; ++i) {
      ++(pace.helped() ? helped : alone);
      pace.record(10, 10 * (pace.helped() ? with : without));
    }
  }
};

}  // namespace

TEST(helpers_are_used_where_they_pay) {
  Machine machine{0.005, 0.009, {}};
  machine.run(1000);
  CHECK(machine.helped > 980);
  CHECK(machine.alone >= 2);  // it looks again and again
}

TEST(helpers_that_slow_a_run_down_are_left_alone) {
  Machine machine{0.009, 0.005, {}};
  machine.run(1000);
  CHECK(machine.alone > 980);
  CHECK(machine.helped >= 2);
}

TEST(a_change_of_the_machine_is_noticed) {
  Machine machine{0.005, 0.009, {}};
  machine.run(1000);
  machine.with = 0.02;
  machine.run(2 * Pace::kLongestWait);
  machine.run(100);
  CHECK(machine.alone > 90);
  machine.with = 0.005;
  machine.run(2 * Pace::kLongestWait);
  machine.run(100);
  CHECK(machine.helped > 90);
}

TEST(a_window_is_made_of_many_short_calls) {
  Pace pace;
  // The first window is the warming up.
  for (size_t i = 0; i < 39; ++i) {
    pace.record(1, 1.01 * Pace::kWindow / 20);
    CHECK(pace.helped());
  }
  pace.record(1, 1.5 * Pace::kWindow / 20);
  CHECK(!pace.helped());  // the first look at the other way
}

TEST(a_call_that_was_held_up_once_decides_nothing) {
  Pace pace;
  for (size_t i = 0; i < 40; ++i) pace.record(1, 1.01 * Pace::kWindow / 20);  // without them it took 1.01
  CHECK(!pace.helped());
  for (size_t i = 0; i < 20; ++i) pace.record(1, 1.02 * Pace::kWindow / 20);
  CHECK(pace.helped());
  for (size_t look = 0; look < 4; ++look) {  // a time slice of somebody else in every window with helpers
    pace.record(1, 0.2 * Pace::kWindow);
    for (size_t i = 0; i < 16; ++i) pace.record(1, Pace::kWindow / 20);
    CHECK(pace.helped() || look == 3);
  }
}

TEST(a_slow_first_window_decides_nothing) {
  Pace pace;
  pace.record(10, 100 * Pace::kWindow);
  pace.record(10, 10 * 0.005);
  pace.record(10, 10 * 0.009);
  CHECK(pace.helped());
}

}  // namespace carillon::test
