// Inputs and comparisons shared by the kernel tests.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "check.h"
#include "dispatch/dispatch.h"

namespace carillon::test {

// SplitMix64 (Steele, Lea and Flood 2014).
struct Random {
  uint64_t state;
  uint64_t next() {
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
  }
  size_t below(size_t limit) { return static_cast<size_t>(next() % limit); }
  // [-1, 1)
  float uniform() { return static_cast<float>(static_cast<int64_t>(next()) >> 40) * 0x1p-23f; }
  // Any bit pattern: NaN, infinities and denormals included.
  float any() { return std::bit_cast<float>(static_cast<uint32_t>(next())); }
  // Mostly ordinary numbers of many magnitudes, sometimes a special one.
  float mixed() {
    static constexpr float special[] = {0.0f,
                                        -0.0f,
                                        1.0f,
                                        -1.0f,
                                        0x1p-126f,
                                        -0x1p-127f,
                                        0x1p-149f,
                                        1e30f,
                                        -1e30f,
                                        88.8f,
                                        std::numeric_limits<float>::infinity(),
                                        -std::numeric_limits<float>::infinity(),
                                        std::numeric_limits<float>::quiet_NaN()};
    const uint64_t draw = next();
    if (draw % 8 == 0) return special[(draw >> 8) % std::size(special)];
    return std::ldexp(uniform(), static_cast<int>((draw >> 8) % 24) - 12);
  }
};

inline uint32_t bits(float x) { return std::bit_cast<uint32_t>(x); }

// The same bits; any NaN equals any NaN.
inline bool same(float a, float b) { return bits(a) == bits(b) || (std::isnan(a) && std::isnan(b)); }

#if defined(__SANITIZE_ADDRESS__)
constexpr size_t kGuard = 0;  // the sanitizer's red zone stands right behind the data
#else
constexpr size_t kGuard = 32;
#endif

// `count` floats at a chosen misalignment (in floats), a guard zone behind and one before.
class Guarded {
 public:
  Guarded(size_t count, size_t misalignment) : count_(count), begin_(misalignment + 16) {
    values_.assign(begin_ + count + kGuard, kPattern);
  }
  float* data() { return values_.data() + begin_; }
  float& operator[](size_t i) { return data()[i]; }
  size_t size() const { return count_; }
  bool intact() const {
    for (size_t i = 0; i < values_.size(); ++i) {
      if ((i < begin_ || i >= begin_ + count_) && bits(values_[i]) != bits(kPattern)) return false;
    }
    return true;
  }

 private:
  static constexpr float kPattern = 12345.678f;
  size_t count_, begin_;
  std::vector<float> values_;
};

inline const KernelTable& scalar_table() { return *find_table("scalar"); }

// Lengths 0 … 3N + 1 of the widest table, one reduction block and its neighbours, several blocks.
inline std::vector<size_t> sweep_lengths() {
  std::vector<size_t> lengths;
  for (size_t n = 0; n <= 49; ++n) lengths.push_back(n);
  for (const size_t n : {255u, 1023u, 1024u, 1025u, 3333u}) lengths.push_back(n);
  return lengths;
}

// 2^-24: the largest relative error of one rounding to nearest.
constexpr double kRounding = 0x1p-24;

// A double with a bound of the error that float arithmetic makes on the way to it (running error analysis, Wilkinson
// 1963): every operation adds half an ulp of its result, and 2^-126 for what may be flushed or denormal.
struct Bounded {
  double value = 0;
  double error = 0;
};
inline Bounded exactly(double x) { return {x, 0}; }
inline Bounded rounded(double value, double error) {
  return {value, error + kRounding * (std::fabs(value) + error) + 0x1p-126};
}
inline Bounded operator+(Bounded a, Bounded b) { return rounded(a.value + b.value, a.error + b.error); }
inline Bounded operator-(Bounded a, Bounded b) { return rounded(a.value - b.value, a.error + b.error); }
inline Bounded operator*(Bounded a, Bounded b) {
  return rounded(a.value * b.value, std::fabs(a.value) * b.error + std::fabs(b.value) * a.error + a.error * b.error);
}
// Where b may be 0 nothing is known; the bound is finite, so that 0 times it is 0.
inline Bounded operator/(Bounded a, Bounded b) {
  if (b.error >= std::fabs(b.value)) return {0, 1e30};
  const double quotient = a.value / b.value;
  return rounded(quotient, (a.error + std::fabs(quotient) * b.error) / (std::fabs(b.value) - b.error));
}
// √ moves by at most the square root of the argument's error, and by error / √value where that is smaller.
inline Bounded root(Bounded a) {
  const double value = std::sqrt(a.value);
  const double steep = std::sqrt(a.error);
  return rounded(value, value > steep ? a.error / value : steep);
}
inline bool within(float x, Bounded reference) {
  return std::fabs(static_cast<double>(x) - reference.value) <= reference.error;
}

}  // namespace carillon::test
