// Calls of frozen programs.
#pragma once

#include <napi.h>

namespace carillon {

// programAnswer(program, x: Float32Array, rows, y: Float32Array, threads) → fault | null: y from x, on the calling
// thread and helpers; both are used as they lie, and nothing is allocated.
Napi::Value program_answer(const Napi::CallbackInfo& info);

// programAnswerAsync(program, rows, threads) → Promise of fault | null: from the slab of the input to that of the
// output, on a native thread that stays.
Napi::Value program_answer_async(const Napi::CallbackInfo& info);

}  // namespace carillon
