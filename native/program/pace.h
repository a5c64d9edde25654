// Whether the helpers pay: where another process takes the cores that they would run on, a step with them may take
// longer than one without. So both are timed, and the faster way is taken until it is time to look again. Who computes
// never changes what is computed.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>

namespace carillon {

class Pace {
 public:
  // Seconds that a way is kept at least, all calls together: several time slices of the system's scheduler.
  static constexpr double kWindow = 0.02;
  // What a window is taken to say is the median of so many parts of it at most: a thread that lost its processor once,
  // for a time slice, is in one or two of them.
  static constexpr size_t kParts = 10;
  // Windows of the faster way between two of the other: at first, and at most, after as many looks that changed
  // nothing. The other way costs at most a 5th of the time at first, a 129th later; a look that went wrong because
  // something else took the cores just then is soon mended.
  static constexpr size_t kFirstWait = 4;
  static constexpr size_t kLongestWait = 128;

  // Whether the steps to come should have helpers.
  bool helped() const { return helped_; }

  // `steps` steps, helped or not as helped() said, took `seconds`.
  void record(size_t steps, double seconds) {
    steps_ += static_cast<double>(steps);
    seconds_ += seconds;
    if (seconds_ < kWindow / kParts || steps_ == 0) return;
    parts_[part_++] = seconds_ / steps_;
    window_ += seconds_;
    steps_ = seconds_ = 0;
    if (window_ < kWindow && part_ < kParts) return;
    const double step = median();
    part_ = 0;
    window_ = 0;
    if (!warm_) {  // caches and threads were cold
      warm_ = true;
      return;
    }
    (helped_ ? with_ : without_) = step;
    choose();
  }

 private:
  double median() {
    const auto middle = parts_.begin() + part_ / 2;
    std::nth_element(parts_.begin(), middle, parts_.begin() + part_);
    return *middle;
  }

  void choose() {
    if (without_ == 0) {  // never looked
      helped_ = false;
      return;
    }
    const bool better = with_ <= without_;
    if (wait_ == 0) {  // that was the look at the other way
      interval_ = better == better_ ? std::min(2 * interval_, kLongestWait) : kFirstWait;
      better_ = better;
      wait_ = interval_;
      helped_ = better_;
      return;
    }
    helped_ = --wait_ == 0 ? !better_ : better_;
  }

  bool warm_ = false;  // one window has passed
  bool helped_ = true;
  bool better_ = true;  // what the last look found
  double with_ = 0;     // seconds a step, newest window
  double without_ = 0;
  double steps_ = 0;  // of the part under way
  double seconds_ = 0;
  std::array<double, kParts> parts_{};  // seconds a step, of the window under way
  size_t part_ = 0;
  double window_ = 0;
  size_t wait_ = 0;
  size_t interval_ = kFirstWait / 2;
};

}  // namespace carillon
