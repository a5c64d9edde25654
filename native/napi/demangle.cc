// Stands in for the demangler of a C++ runtime that is linked statically. That has 130 KB and is asked only when an
// exception that nobody catches ends the process; now the message has the mangled name of its type.
#include <cstddef>

// A name of the runtime's, which no C++ name may be.
#ifdef __APPLE__
#define CARILLON_DEMANGLE "___cxa_demangle"
#else
#define CARILLON_DEMANGLE "__cxa_demangle"
#endif

namespace carillon {

// The runtime's signature: mangled name, buffer, its length, status. −2 says that the name is none.
extern "C" __attribute__((visibility("hidden"))) char* demangle_nothing(const char*, char*, std::size_t*,
                                                                        int* status) __asm__(CARILLON_DEMANGLE);

char* demangle_nothing(const char*, char*, std::size_t*, int* status) {
  if (status != nullptr) *status = -2;
  return nullptr;
}

}  // namespace carillon
