// What the machine can do, one table an ISA: multiply-adds in registers, and loops over memory that only load and
// store.
#pragma once

#include <cstddef>
#include <cstdint>

namespace carillon::bench {

// Arrays of a loop over memory: read, read and written in place, written only.
struct Pattern {
  int read;
  int updated;
  int written;

  int arrays() const { return read + updated + written; }
  // Bytes moved an element: 4 for each load and each store.
  double bytes() const { return 4.0 * (read + 2 * updated + written); }
  bool operator==(const Pattern&) const = default;
};

// arrays: [pattern.arrays()] pointers in the order of Pattern, each to `count` floats, a multiple of kStreamStep. What
// is updated keeps its value, what is written becomes 1.
using StreamLoop = float (*)(float* const* arrays, size_t count);

struct StreamProbe {
  Pattern pattern;
  StreamLoop plain;
  StreamLoop ahead;  // with prefetch
};

// Rows of a table that lie anywhere: read from one array, or read and written in place in some of them.
struct RowsPattern {
  int read;
  int updated;

  // Bytes moved a row.
  double row_bytes() const;
  bool operator==(const RowsPattern&) const = default;
};

inline constexpr size_t kRowFloats = 64;
inline double RowsPattern::row_bytes() const { return 4.0 * kRowFloats * (read + 2 * updated); }

// Rows of kRowFloats floats by number; what is updated keeps its value. The lines of a row are asked for kRowsBefore
// rows before.
using RowsLoop = float (*)(float* const* arrays, const int32_t* rows, size_t count);

struct RowsProbe {
  RowsPattern pattern;
  RowsLoop loop;
};
inline constexpr size_t kRowsProbes = 4;

inline constexpr size_t kStreamStep = 64;
inline constexpr size_t kStreamProbes = 15;
inline constexpr int kMostArrays = 6;

struct ProbeTable {
  const char* name;  // as in KernelTable
  // x = fma(x, 1, 0), `rounds` times over independent chains that fill the registers; returns their sum.
  float (*fma)(size_t rounds);
  double flops;  // of one round
  StreamProbe streams[kStreamProbes];
  RowsProbe rows[kRowsProbes];
};

#ifdef __x86_64__
extern const ProbeTable kAvx512Probes;
extern const ProbeTable kAvx2Probes;
#endif
#ifdef __aarch64__
extern const ProbeTable kNeonProbes;
#endif
extern const ProbeTable kScalarProbes;

// The probes of a kernel table, by its name.
const ProbeTable& probes_of(const char* isa);

}  // namespace carillon::bench
