// The probes in portable C++, and the choice of a table.
#include <cmath>
#include <cstdint>
#include <cstring>

#include "isa/tables.h"
#include "probes.h"

namespace carillon::bench::scalar {
namespace {
#include "simd/scalar.h"
#include "probes-inl.h"
}  // namespace
}  // namespace carillon::bench::scalar

namespace carillon::bench {

constinit const ProbeTable kScalarProbes = scalar::make_probes("scalar");

const ProbeTable& probes_of(const char* isa) {
  const ProbeTable* const tables[] = {
#ifdef __x86_64__
      &kAvx512Probes,
      &kAvx2Probes,
#endif
#ifdef __aarch64__
      &kNeonProbes,
#endif
  };
  for (const ProbeTable* table : tables) {
    if (std::strcmp(table->name, isa) == 0) return *table;
  }
  return kScalarProbes;
}

}  // namespace carillon::bench
