// The one function of bcryptprimitives.dll that Rust's programs ask for (vitest's bundler is one). Wine has it since
// version 9; before that, matrix-cells.mjs gives it this.
#include <stddef.h>

// RtlGenRandom of advapi32.dll.
unsigned char __stdcall SystemFunction036(void* buffer, unsigned long length);

__declspec(dllexport) int __stdcall ProcessPrng(void* buffer, size_t length) {
  return SystemFunction036(buffer, (unsigned long)length);
}
