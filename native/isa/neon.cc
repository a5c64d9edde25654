// The kernel table for NEON, which every AArch64 processor has: no target region.
#include "tables.h"

#ifdef __aarch64__

#include <arm_neon.h>

namespace carillon::neon {
namespace {
#include "../simd/neon.h"
// The kernels see the vectors of this namespace.
#include "../kernels/kernels-inl.h"
}  // namespace
}  // namespace carillon::neon

namespace carillon {
constinit const KernelTable kNeonTable = neon::make_table("neon");
}  // namespace carillon

#endif
