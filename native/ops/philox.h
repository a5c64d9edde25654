// Philox4x32-10, a counter-based generator (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3",
// SC 2011), one block at a time, for draws that are not worth vectors.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>

namespace carillon {

// Where a mask keeps: a 32-bit uniform below this, keep·2³² rounded to nearest.
inline uint64_t dropout_threshold(double keep) { return static_cast<uint64_t>(std::floor(keep * 4294967296.0 + 0.5)); }

using PhiloxBlock = std::array<uint32_t, 4>;

inline PhiloxBlock philox(PhiloxBlock counter, uint64_t key) {
  auto low = static_cast<uint32_t>(key);
  auto high = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t first = uint64_t{0xD2511F53} * counter[0];
    const uint64_t second = uint64_t{0xCD9E8D57} * counter[2];
    counter = {static_cast<uint32_t>(second >> 32) ^ counter[1] ^ low, static_cast<uint32_t>(second),
               static_cast<uint32_t>(first >> 32) ^ counter[3] ^ high, static_cast<uint32_t>(first)};
    low += 0x9E3779B9;
    high += 0xBB67AE85;
  }
  return counter;
}

// (0, 1), 2^-53 apart and never an end.
inline double unit_interval(uint32_t high, uint32_t low) {
  const uint64_t bits = (uint64_t{high} << 20) ^ (low >> 12);
  return (static_cast<double>(bits) + 0.5) * (1.0 / 4503599627370496.0);
}

}  // namespace carillon
