// The kernel table in portable C++, for any processor: the oracle of the others.
#include "tables.h"

// Vectors of one float lose nothing by a call, and 16 lanes are 16 vectors: inlined and unrolled, the kernels would
// take megabytes and spill all the same.
#undef CARILLON_INLINE
#define CARILLON_INLINE [[maybe_unused]] inline
#undef CARILLON_UNROLL
#ifdef __clang__
#define CARILLON_UNROLL _Pragma("clang loop unroll(disable)")
#else
#define CARILLON_UNROLL
#endif

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
