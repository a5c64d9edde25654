// The update as table.h and optimizer_rules-inl.h state it, over a number type T: Plain (float, one rounding an
// operation, for equal bits) or Bounded (double with a running error bound).
#pragma once

#include "samples.h"

namespace carillon::test {

struct Plain {
  float x;
};
inline Plain operator+(Plain a, Plain b) { return {a.x + b.x}; }
inline Plain operator*(Plain a, Plain b) { return {a.x * b.x}; }
inline Plain operator/(Plain a, Plain b) { return {a.x / b.x}; }
inline Plain root(Plain a) { return {std::sqrt(a.x)}; }
inline Plain fused(Plain a, Plain b, Plain c) { return {std::fma(a.x, b.x, c.x)}; }
inline Plain flushed(Plain a) { return {std::fabs(a.x) < 0x1p-126f ? 0.0f : a.x}; }
inline Plain negative(Plain a) { return {-a.x}; }
inline Plain magnitude(Plain a) { return {std::fabs(a.x)}; }
inline Plain larger(Plain a, Plain b) { return {a.x > b.x ? a.x : b.x}; }
inline Plain clamped(Plain a, float limit) { return {a.x > limit ? limit : a.x < -limit ? -limit : a.x}; }
inline Plain sign_of(Plain a) { return {a.x > 0 ? 1.0f : a.x < 0 ? -1.0f : a.x}; }
inline Plain shrunk(Plain a, Plain t) { return {std::copysign(std::fmax(std::fabs(a.x) - t.x, 0.0f), a.x)}; }

inline Bounded fused(Bounded a, Bounded b, Bounded c) {
  return rounded(a.value * b.value + c.value,
                 std::fabs(a.value) * b.error + std::fabs(b.value) * a.error + a.error * b.error + c.error);
}
inline Bounded flushed(Bounded a) { return {a.value, a.error + 0x1p-126}; }
// These move no further than their arguments.
inline Bounded negative(Bounded a) { return {-a.value, a.error}; }
inline Bounded magnitude(Bounded a) { return {std::fabs(a.value), a.error}; }
inline Bounded larger(Bounded a, Bounded b) {
  if (a.value - a.error > b.value + b.error) return a;
  if (b.value - b.error > a.value + a.error) return b;
  return {std::fmax(a.value, b.value), std::fmax(a.error, b.error)};
}
inline Bounded clamped(Bounded a, float limit) {
  const double end = static_cast<double>(limit);
  return {std::fmin(std::fmax(a.value, -end), end), a.error};
}
// Where the error reaches across 0 the sign may be any.
inline Bounded sign_of(Bounded a) {
  const double sign = a.value > 0 ? 1 : a.value < 0 ? -1 : 0;
  return {sign, std::fabs(a.value) <= a.error && a.error > 0 ? 2.0 : 0.0};
}
inline Bounded shrunk(Bounded a, Bounded t) {
  return rounded(std::copysign(std::fmax(std::fabs(a.value) - t.value, 0.0), a.value), a.error + t.error);
}

template <class T>
T number(float x);
template <>
inline Plain number<Plain>(float x) {
  return {x};
}
template <>
inline Bounded number<Bounded>(float x) {
  return exactly(static_cast<double>(x));
}

template <class T>
struct Direction {
  T d;
  T denominator;
};

template <class T>
T root_with(T v, float epsilon, float inside) {
  return inside != 0 ? root(v + number<T>(epsilon)) : root(v) + number<T>(epsilon);
}

template <class T>
Direction<T> rmsprop_direction(T g, T* state, const UpdateArguments& u, bool centered, bool momentum) {
  const auto r = [&u](int i) { return number<T>(u.rule[i]); };
  const T second = fused(r(0), state[0], r(1) * g * g);
  state[0] = flushed(second);
  T variance = second;
  if (centered) {
    const T mean = fused(r(0), state[1], r(1) * g);
    state[1] = flushed(mean);
    variance = larger(fused(negative(mean), mean, second), number<T>(0));
  }
  const T denominator = root_with(variance, u.rule[2], u.rule[3]);
  if (!momentum) return {g / denominator, denominator};
  const int last = centered ? 2 : 1;
  const T move = u.rule[5] != 0 ? number<T>(u.rate) * g : g;
  const T velocity = fused(r(4), state[last], move / denominator);
  state[last] = flushed(velocity);
  return {velocity, denominator};
}

// β₁, 1 − β₁, β₂, 1 − β₂ lead.
template <class T>
Direction<T> moments_direction(Optimizer rule, T g, T* state, const UpdateArguments& u) {
  const auto r = [&u](int i) { return number<T>(u.rule[i]); };
  const T first = fused(r(0), state[0], r(1) * g);
  T second = fused(r(2), state[1], r(3) * g * g);
  state[0] = flushed(first);
  state[1] = flushed(second);
  if (rule == Optimizer::amsgrad) {
    second = larger(state[2], second);
    state[2] = flushed(second);
  }
  if (rule == Optimizer::radam) {
    const T d = r(6) * first;
    if (u.rule[7] == 0) return {d, number<T>(1)};
    const T denominator = root_with(second, u.rule[4], u.rule[5]);
    return {d / denominator, denominator};
  }
  const bool nadam = rule == Optimizer::nadam;
  const T denominator = root_with(second * r(nadam ? 8 : 7), u.rule[4], u.rule[5]);
  const T numerator = nadam ? fused(r(6), first, r(7) * g) : first * r(6);
  return {numerator / denominator, denominator};
}

// What the rule makes of g; states replaced.
template <class T>
Direction<T> direction(Optimizer rule, T g, T* state, const UpdateArguments& u) {
  const auto r = [&u](int i) { return number<T>(u.rule[i]); };
  const T one = number<T>(1);
  switch (rule) {
    case Optimizer::sgd:
      return {g, one};
    case Optimizer::momentum: {
      const T move = u.rule[4] != 0 ? number<T>(u.rate) * g : g;
      const T velocity = u.rule[5] != 0 ? move : fused(r(0), state[0], r(1) * move);
      state[0] = flushed(velocity);
      return {u.rule[2] != 0 ? fused(r(0), velocity, move) : velocity, one};
    }
    case Optimizer::adagrad: {
      const T sum = fused(g, g, state[0]);
      state[0] = flushed(sum);
      const T denominator = root_with(sum, u.rule[0], u.rule[1]);
      return {g / denominator, denominator};
    }
    case Optimizer::rmsprop:
      return rmsprop_direction(g, state, u, false, false);
    case Optimizer::rmsprop_momentum:
      return rmsprop_direction(g, state, u, false, true);
    case Optimizer::rmsprop_centered:
      return rmsprop_direction(g, state, u, true, false);
    case Optimizer::rmsprop_centered_momentum:
      return rmsprop_direction(g, state, u, true, true);
    case Optimizer::adam:
    case Optimizer::amsgrad:
    case Optimizer::nadam:
    case Optimizer::radam:
      return moments_direction(rule, g, state, u);
    case Optimizer::adamax: {
      const bool inside = u.rule[4] != 0;
      const T first = fused(r(0), state[0], r(1) * g);
      const T norm = larger(r(2) * state[1], inside ? magnitude(g) + r(3) : magnitude(g));
      state[0] = flushed(first);
      state[1] = flushed(norm);
      const T denominator = inside ? norm : norm + r(3);
      return {r(5) * first / denominator, denominator};
    }
    case Optimizer::adadelta: {
      const T second = fused(r(0), state[0], r(1) * g * g);
      const T below = root(second + r(2)), above = root(state[1] + r(2));
      const T delta = above / below * g;
      state[0] = flushed(second);
      state[1] = flushed(fused(r(0), state[1], r(1) * delta * delta));
      return {delta, below / above};
    }
    case Optimizer::lion: {
      const T d = sign_of(fused(r(0), state[0], r(1) * g));
      state[0] = flushed(fused(r(2), state[0], r(3) * g));
      return {d, one};
    }
    case Optimizer::count:
      break;
  }
  std::abort();
}

// θ after the step; states and average replaced.
template <class T>
T step(Optimizer rule, T theta, T gradient, T* state, T* average, const UpdateArguments& u) {
  T g = gradient * number<T>(u.gradient_scale);
  if (std::isfinite(u.clip_value)) g = clamped(g, u.clip_value);
  if (u.l2 != 0) g = fused(number<T>(u.l2), theta, g);
  if (u.l1 != 0) g = g + number<T>(u.l1) * sign_of(theta);
  if (u.decay != 0) theta = fused(number<T>(-u.decay), theta, theta);
  const Direction<T> to = direction(rule, g, state, u);
  const bool rate_inside =
      (rule == Optimizer::momentum && u.rule[4] != 0) ||
      ((rule == Optimizer::rmsprop_momentum || rule == Optimizer::rmsprop_centered_momentum) && u.rule[5] != 0);
  theta = fused(number<T>(rate_inside ? -1.0f : -u.rate), to.d, theta);
  if (u.shrink != 0) {
    const T threshold = number<T>(u.shrink);
    theta = shrunk(theta, u.metric ? threshold / to.denominator : threshold);
  }
  if (average != nullptr) {
    *average = flushed(fused(number<T>(u.average_keep), *average, number<T>(u.average_take) * theta));
  }
  return theta;
}

}  // namespace carillon::test
