// The floating-point control word of the contract: round to nearest, no exceptions trapped, denormals as IEEE says.
// Threads inherit a host's settings, so every native region sets its own and puts the old one back.
#pragma once

#include <cstdint>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace carillon {

class FpEnvironment {
 public:
#if defined(__x86_64__)
  FpEnvironment() : saved_(_mm_getcsr()) { _mm_setcsr(0x1F80); }
  ~FpEnvironment() { _mm_setcsr(saved_); }

 private:
  uint32_t saved_;
#elif defined(__aarch64__)
  FpEnvironment() {
    __asm__ __volatile__("mrs %0, fpcr" : "=r"(saved_));
    const uint64_t ieee = 0;
    __asm__ __volatile__("msr fpcr, %0" : : "r"(ieee));
  }
  ~FpEnvironment() { __asm__ __volatile__("msr fpcr, %0" : : "r"(saved_)); }

 private:
  uint64_t saved_ = 0;
#else
  FpEnvironment() = default;
#endif

 public:
  FpEnvironment(const FpEnvironment&) = delete;
  FpEnvironment& operator=(const FpEnvironment&) = delete;
};

}  // namespace carillon
