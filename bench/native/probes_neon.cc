// The probes for NEON.
#include "isa/tables.h"
#include "probes.h"

#ifdef __aarch64__

#include <cstdint>
#include <arm_neon.h>

namespace carillon::bench::neon {
namespace {
#include "simd/neon.h"
#include "probes-inl.h"
}  // namespace
}  // namespace carillon::bench::neon

namespace carillon::bench {
constinit const ProbeTable kNeonProbes = neon::make_probes("neon");
}  // namespace carillon::bench

#endif
