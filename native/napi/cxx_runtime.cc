// What stands in for parts of a C++ runtime that is linked statically. Such names belong to the runtime, and no C++
// name may be one of them: the linker's names are given apart.
#include <cstddef>

#ifdef __APPLE__
#define CARILLON_LINKER_NAME(name) __asm__("_" name)
#else
#define CARILLON_LINKER_NAME(name) __asm__(name)
#endif
#define CARILLON_HIDDEN __attribute__((visibility("hidden")))

namespace carillon {

// The demangler has 130 KB and is asked only when an exception that nobody catches ends the process; now that message
// has the mangled name of its type. Arguments: mangled name, buffer, its length, status; −2 says that the name is none.
extern "C" CARILLON_HIDDEN char* demangle_nothing(const char*, char*, std::size_t*, int* status)
    CARILLON_LINKER_NAME("__cxa_demangle");

char* demangle_nothing(const char*, char*, std::size_t*, int* status) {
  if (status != nullptr) *status = -2;
  return nullptr;
}

}  // namespace carillon

// One binary for glibc and musl (cmake/zig.cmake): it is linked against glibc, whose libraries musl's loader takes for
// itself, and asks for nothing that only one of them has.
#ifdef CARILLON_ANY_LIBC

#include <pthread.h>

#include <cstdlib>

namespace carillon {
namespace {

// Itanium C++ ABI, Exception Handling, 2.2.2. The runtime's own is a thread_local, whose address x86-64 asks of glibc's
// loader by its name.
struct ExceptionGlobals {
  void* caught;
  unsigned uncaught;
};

pthread_key_t exception_globals_key() {
  static const pthread_key_t key = [] {
    pthread_key_t created;
    if (pthread_key_create(&created, std::free) != 0) std::abort();
    return created;
  }();
  return key;
}

}  // namespace

extern "C" CARILLON_HIDDEN ExceptionGlobals* exception_globals() CARILLON_LINKER_NAME("__cxa_get_globals");
extern "C" CARILLON_HIDDEN ExceptionGlobals* exception_globals_fast() CARILLON_LINKER_NAME("__cxa_get_globals_fast");
extern "C" CARILLON_HIDDEN char* error_message(int code, char* buffer, std::size_t length)
    CARILLON_LINKER_NAME("strerror_r");
extern "C" int posix_error_message(int code, char* buffer, std::size_t length) CARILLON_LINKER_NAME("__xpg_strerror_r");

ExceptionGlobals* exception_globals() {
  const pthread_key_t key = exception_globals_key();
  void* found = pthread_getspecific(key);
  if (found == nullptr) {
    found = std::calloc(1, sizeof(ExceptionGlobals));
    if (found == nullptr || pthread_setspecific(key, found) != 0) std::abort();
  }
  return static_cast<ExceptionGlobals*>(found);
}

// nullptr where this thread has thrown nothing yet.
ExceptionGlobals* exception_globals_fast() {
  return static_cast<ExceptionGlobals*>(pthread_getspecific(exception_globals_key()));
}

// glibc's strerror_r returns a text, musl's a number; both have POSIX's under this other name.
char* error_message(int code, char* buffer, std::size_t length) {
  if (length != 0 && posix_error_message(code, buffer, length) != 0) buffer[0] = '\0';
  return buffer;
}

}  // namespace carillon

#endif
