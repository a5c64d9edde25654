// What every function that computes stands in: the kernel table of the process, and C++ errors as JavaScript ones.
#pragma once

#include <new>
#include <string>

#include "../dispatch/dispatch.h"
#include "args.h"

namespace carillon {

// The table in use; ERR_OPTION where CARILLON_ISA names none of this machine.
inline const KernelTable& kernels(Napi::Env env) {
  const KernelTable* table = default_table();
  if (table == nullptr) {
    std::string names;
    for (const KernelTable* each : supported_tables()) names += std::string(names.empty() ? "" : ", ") + each->name;
    throw_error(env, "ERR_OPTION", "CARILLON_ISA names no instruction set of this machine; it has " + names);
  }
  return *table;
}

// Runs `body`, turning C++ errors into JavaScript ones.
template <typename Body>
auto guarded(Napi::Env env, const Body& body) {
  try {
    return body();
  } catch (const ProgramError& error) {
    throw_error(env, "ERR_NATIVE", error.what());
  } catch (const std::bad_alloc&) {
    throw_error(env, "ERR_NATIVE", "out of memory");
  }
}

}  // namespace carillon
