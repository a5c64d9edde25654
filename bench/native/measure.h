// Measuring in turns: A B C, C B A, A B C, … Neighbours in time share what the machine is doing, so ratios are taken
// within a turn and their median is the figure.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace carillon::bench {

// What is timed. Where `renewed` is given, its floats become those of fill_noise again before every kCallsBetween
// calls, which is not timed: a function applied to its own results again and again ends in numbers that no training
// meets.
struct Entrant {
  std::function<void()> run;
  float* renewed = nullptr;
  size_t renewed_count = 0;
  std::function<void()> prepare = {};  // before a turn, not timed
};

inline constexpr size_t kCallsBetween = 4;

// Numbers in ±[0.25, 1), half of them negative, that need no quality.
void fill_noise(float* x, size_t count);

// Set once, before the first turn: every budget is then a single short turn, whose figures say nothing.
inline bool one_turn_only = false;

struct Budget {
  double seconds;      // of all turns together, about
  double turn = 2e-3;  // least seconds of an entrant's turn
  double pause = 0;    // seconds between turns: threads of others that still spin go to sleep
  size_t least = 7;    // turns
  size_t most = 25;
};

// Seconds a call of every entrant in every turn.
class Times {
 public:
  explicit Times(std::vector<std::vector<double>> seconds) : seconds_(std::move(seconds)) {}
  double median(size_t entrant) const;
  // Median over the turns of seconds(of) / seconds(to).
  double ratio(size_t of, size_t to) const;
  size_t turns() const { return seconds_.front().size(); }

 private:
  std::vector<std::vector<double>> seconds_;
};

Times take_turns(const std::vector<Entrant>& entrants, const Budget& given);

double median_of(std::vector<double> values);

// One line of JSON on the standard output.
class Line {
 public:
  Line& text(std::string_view name, std::string_view value);
  Line& number(std::string_view name, double value);  // null where it is not finite
  Line& truth(std::string_view name, bool value);
  Line& raw(std::string_view name, std::string_view json);
  std::string json() const { return "{" + body_ + "}"; }
  void print() const;

 private:
  void key(std::string_view name);
  std::string body_;
};

}  // namespace carillon::bench
