// The kernel table in portable C++, for any processor: the oracle of the others.
#include "tables.h"

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
