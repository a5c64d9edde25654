// Which kernel table runs: the best that the processor and the operating system support, or CARILLON_ISA.
#pragma once

#include <span>

#include "../kernels/table.h"

namespace carillon {

// Tables that this machine can run, best first. Always ends with scalar.
std::span<const KernelTable* const> supported_tables();

// nullptr when this machine cannot run it or the name is unknown.
const KernelTable* find_table(const char* name);

// The table chosen once for the process: CARILLON_ISA where it is set (nullptr where it names no supported table),
// otherwise the best.
const KernelTable* default_table();

}  // namespace carillon
