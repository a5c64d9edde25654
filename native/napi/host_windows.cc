// Windows names the file that a function is imported from, and Node.js is not always node.exe: a single-executable
// application and Electron have names of their own. The prebuilt binary therefore imports nothing from it and asks the
// running program, or the library that such a program keeps Node.js in, when it is loaded.
#ifdef CARILLON_ASKS_HOST

#include <windows.h>

namespace carillon {
namespace {

// Status of a function that this Node.js does not have: napi_generic_failure.
int missing_function() { return 9; }

FARPROC host_function(const char* name) {
  static const HMODULE library = GetModuleHandleW(L"libnode.dll");
  const FARPROC found = GetProcAddress(library != nullptr ? library : GetModuleHandleW(nullptr), name);
  return found != nullptr ? found : reinterpret_cast<FARPROC>(&missing_function);
}

}  // namespace

// Each function is a jump to where it is in the host.
#define X(name)                                                   \
  extern "C" FARPROC host_##name __asm__("carillon_host_" #name); \
  FARPROC host_##name = host_function(#name);                     \
  __asm__(".text\n.globl " #name "\n" #name ":\n  jmp *carillon_host_" #name "(%rip)\n");
#include "host_functions.def"
#undef X

}  // namespace carillon

#endif
