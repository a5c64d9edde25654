#include "resident.h"

#if defined(_WIN32)
#include <windows.h>
#elif defined(__APPLE__)
#include <dlfcn.h>
#endif

namespace carillon {

#if defined(_WIN32)

void stay_resident() {
  constexpr DWORD kPinned = GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_PIN;
  HMODULE self = nullptr;
  GetModuleHandleExW(kPinned, reinterpret_cast<LPCWSTR>(&stay_resident), &self);
}

#elif defined(__APPLE__)

void stay_resident() {
  Dl_info self;
  if (dladdr(reinterpret_cast<const void*>(&stay_resident), &self) == 0) return;
  dlopen(self.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
}

#else

void stay_resident() {}  // the linker has said so: -z nodelete

#endif

}  // namespace carillon
