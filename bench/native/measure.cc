#include "measure.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <thread>

namespace carillon::bench {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// Copies a block that stays in the first-level cache all over the floats.
void renew(const Entrant& entrant) {
  static const std::vector<float> block = [] {
    std::vector<float> values(4096);
    fill_noise(values.data(), values.size());
    return values;
  }();
  for (size_t i = 0; i < entrant.renewed_count; i += block.size()) {
    const size_t count = std::min(block.size(), entrant.renewed_count - i);
    std::memcpy(entrant.renewed + i, block.data(), count * sizeof(float));
  }
}

// Seconds that `calls` calls take together, renewals left out.
double time_calls(const Entrant& entrant, size_t calls) {
  const bool renewed = entrant.renewed != nullptr;
  const size_t stretch = renewed ? kCallsBetween : calls;
  double total = 0;
  for (size_t done = 0; done < calls; done += stretch) {
    if (renewed) renew(entrant);
    const size_t now = std::min(stretch, calls - done);
    const auto start = Clock::now();
    for (size_t i = 0; i < now; ++i) entrant.run();
    total += seconds_since(start);
  }
  return total;
}

// Calls that fill a turn; the first calls warm the caches and whatever a library sets up.
size_t calls_for(const Entrant& entrant, double turn) {
  if (entrant.prepare) entrant.prepare();
  time_calls(entrant, 1);
  for (size_t calls = 1;; calls *= 2) {
    const double seconds = time_calls(entrant, calls);
    if (seconds >= turn / 2)
      return std::max<size_t>(1, static_cast<size_t>(std::ceil(turn * static_cast<double>(calls) / seconds)));
  }
}

}  // namespace

void fill_noise(float* x, size_t count) {
  uint32_t state = 1;
  for (size_t i = 0; i < count; ++i) {
    state = state * 1664525u + 1013904223u;
    const float size = 0.25f + 0.75f * static_cast<float>(state >> 9) / 8388608.0f;
    x[i] = (state & 0x100u) != 0 ? size : -size;
  }
}

double median_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

double Times::median(size_t entrant) const { return median_of(seconds_[entrant]); }

double Times::ratio(size_t of, size_t to) const {
  std::vector<double> ratios(turns());
  for (size_t turn = 0; turn < turns(); ++turn) ratios[turn] = seconds_[of][turn] / seconds_[to][turn];
  return median_of(std::move(ratios));
}

Times take_turns(const std::vector<Entrant>& entrants, const Budget& given) {
  const Budget budget = one_turn_only ? Budget{.seconds = 0, .turn = 1e-5, .least = 1, .most = 1} : given;
  std::vector<size_t> calls;
  calls.reserve(entrants.size());
  double round = 0;
  for (const Entrant& entrant : entrants) {
    calls.push_back(calls_for(entrant, budget.turn));
    const auto start = Clock::now();
    time_calls(entrant, calls.back());
    round += seconds_since(start) + budget.pause;
  }
  const auto wanted = static_cast<size_t>(budget.seconds / round);
  const size_t turns = std::clamp(wanted, budget.least, budget.most);

  std::vector<std::vector<double>> seconds(entrants.size(), std::vector<double>(turns));
  for (size_t turn = 0; turn < turns; ++turn) {
    for (size_t place = 0; place < entrants.size(); ++place) {
      const size_t e = turn % 2 == 0 ? place : entrants.size() - 1 - place;
      if (budget.pause > 0) std::this_thread::sleep_for(std::chrono::duration<double>(budget.pause));
      if (entrants[e].prepare) entrants[e].prepare();
      // One call brings the operands back into the caches.
      if (calls[e] > 4) time_calls(entrants[e], 1);
      seconds[e][turn] = time_calls(entrants[e], calls[e]) / static_cast<double>(calls[e]);
    }
  }
  return Times(std::move(seconds));
}

void Line::key(std::string_view name) {
  if (!body_.empty()) body_ += ',';
  body_ += '"';
  body_ += name;
  body_ += "\":";
}

Line& Line::text(std::string_view name, std::string_view value) {
  key(name);
  body_ += '"';
  for (const char c : value) {
    if (c == '"' || c == '\\') body_ += '\\';
    body_ += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  body_ += '"';
  return *this;
}

Line& Line::number(std::string_view name, double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", value);
  return raw(name, std::isfinite(value) ? text : "null");
}

Line& Line::truth(std::string_view name, bool value) { return raw(name, value ? "true" : "false"); }

Line& Line::raw(std::string_view name, std::string_view json) {
  key(name);
  body_ += json;
  return *this;
}

void Line::print() const {
  std::printf("%s\n", json().c_str());
  std::fflush(stdout);
}

}  // namespace carillon::bench
