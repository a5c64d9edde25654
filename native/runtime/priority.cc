#include "priority.h"

#if defined(__linux__)
#include <sys/resource.h>
#include <unistd.h>
#elif defined(__APPLE__)
#include <pthread/qos.h>
#elif defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#endif

namespace carillon {

void lower_priority() {
#if defined(__linux__)
  // On Linux a niceness belongs to a thread and is inherited; 0 is the calling one, and the first thread has the number
  // of the process. The system cuts off at 19.
  constexpr int kNicer = 10;
  (void)setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, static_cast<id_t>(getpid())) + kNicer);
#elif defined(__APPLE__)
  (void)pthread_set_qos_class_self_np(QOS_CLASS_UTILITY, 0);
#elif defined(_WIN32)
  (void)SetThreadPriority(GetCurrentThread(), THREAD_PRIORITY_LOWEST);
#endif
}

}  // namespace carillon
