#include "dispatch.h"

#include <cstdlib>
#include <cstring>

#include "../isa/tables.h"

#ifdef __x86_64__
#include <cpuid.h>
#endif

namespace carillon {
namespace {

#ifdef __x86_64__

struct X86Features {
  bool avx2 = false;
  bool avx512 = false;
};

// XCR0: the register states that the operating system saves.
uint64_t enabled_states() {
  uint32_t low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return static_cast<uint64_t>(high) << 32 | low;
}

constexpr bool has(uint32_t word, int bit) { return (word >> bit & 1u) != 0; }

// Bit numbers: Intel SDM volume 2, CPUID; volume 1, 13.1 for XCR0.
X86Features x86_features() {
  X86Features features;
  uint32_t a, b, c, d;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0) return features;
  const bool osxsave = has(c, 27), avx = has(c, 28), fma = has(c, 12);
  if (!osxsave || !avx || !fma) return features;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return features;
  const uint64_t states = enabled_states();
  const bool ymm = (states & 0x06) == 0x06;
  const bool zmm = (states & 0xe6) == 0xe6;
  features.avx2 = ymm && has(b, 5);
  features.avx512 = features.avx2 && zmm && has(b, 16) && has(b, 17) && has(b, 30) && has(b, 31);
  return features;
}

#endif

struct Supported {
  const KernelTable* tables[4];
  size_t count = 0;

  Supported() {
#ifdef __x86_64__
    const X86Features features = x86_features();
#ifdef CARILLON_AVX512
    if (features.avx512) tables[count++] = &kAvx512Table;
#endif
    if (features.avx2) tables[count++] = &kAvx2Table;
#endif
#ifdef __aarch64__
    tables[count++] = &kNeonTable;
#endif
    tables[count++] = &kScalarTable;
  }
};

}  // namespace

std::span<const KernelTable* const> supported_tables() {
  static const Supported supported;
  return {supported.tables, supported.count};
}

const KernelTable* find_table(const char* name) {
  for (const KernelTable* table : supported_tables()) {
    if (std::strcmp(table->name, name) == 0) return table;
  }
  return nullptr;
}

const KernelTable* default_table() {
  static const KernelTable* const chosen = [] {
    const char* name = std::getenv("CARILLON_ISA");
    return name == nullptr || *name == '\0' ? supported_tables().front() : find_table(name);
  }();
  return chosen;
}

}  // namespace carillon
