// The only reader of JavaScript arguments. Every function throws a Napi error that names the argument; nothing here
// trusts what TypeScript promised.
#pragma once

#include <napi.h>

#include <span>
#include <string>
#include <vector>

#include "../program/program.h"

namespace carillon {

// An error with a `code` property, as lib/binding expects it.
[[noreturn]] void throw_error(Napi::Env env, const char* code, const std::string& message);

Napi::Value required(Napi::Object object, const char* key);
Napi::Object object_argument(const Napi::CallbackInfo& info, size_t index, const char* name);

// An integer in [0, 2^53), otherwise an error naming `name`.
size_t count_of(Napi::Value value, const char* name);
// From 1 to 1024.
unsigned threads_of(Napi::Value value);
double number_of(Napi::Value value, const char* name);
bool boolean_of(Napi::Value value, const char* name);

std::span<const int32_t> words_of(Napi::Value value, const char* name);
std::span<const double> doubles_of(Napi::Value value, const char* name);
// A Float32Array, Int32Array or Uint8Array, in one question to the engine. Who asks for `shared` is told whether other
// threads may have its memory.
BoundView memory_of(Napi::Value value, const char* name, bool* shared = nullptr);
Dtype dtype_of(Napi::Value value, const char* name);

}  // namespace carillon
