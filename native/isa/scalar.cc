// The kernel table in portable C++, for any processor: the oracle of the others.
#include "tables.h"

// 16 lanes are 16 vectors here: unrolled, the kernels would take megabytes and spill all the same.
#undef CARILLON_UNROLL
#define CARILLON_UNROLL

namespace carillon::scalar {
namespace {
#include "../simd/scalar.h"
// The kernels see the vectors of this namespace.
#include "../kernels/kernels-inl.h"
}  // namespace
}  // namespace carillon::scalar

namespace carillon {
constinit const KernelTable kScalarTable = scalar::make_table("scalar");
}  // namespace carillon
