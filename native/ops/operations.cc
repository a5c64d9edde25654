#include "operation.h"

namespace carillon {

const Operation* find_operation(int32_t id) {
  static constexpr const Operation* kOperations[] = {
#define X(name) &op_##name,
#include "operations.def"
#undef X
  };
  if (id < 0 || id >= static_cast<int32_t>(OperationId::count)) return nullptr;
  return kOperations[id];
}

}  // namespace carillon
