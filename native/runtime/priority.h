// The operating system's priority of threads that compute.
#pragma once

#include <cstdint>

namespace carillon {

enum class Priority : uint8_t {
  normal,
  background,  // gives way to whatever else wants the processor
};

// Lowers the priority of the calling thread; an unprivileged process cannot raise it again, so that only threads which
// are made for background work may call it. Linux: a niceness 10 above that of the process's first thread. macOS: the
// utility class of quality of service. Windows: THREAD_PRIORITY_LOWEST. Where the system refuses, the thread keeps its
// priority.
void lower_priority();

}  // namespace carillon
