// One kernel on typed arrays that JavaScript owns: the entry below lib/kernels.
#pragma once

#include <napi.h>

namespace carillon {

// kernel(code: Int32Array, seed, step, offset, threads, ...views: TypedArray | null) → fault | null
// `code` is one instruction; the words behind it are lanes, two words each.
Napi::Value run_kernel(const Napi::CallbackInfo& info);

}  // namespace carillon
