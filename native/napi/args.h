// The only reader of JavaScript arguments. Every function throws a Napi error that names the argument; nothing here
// trusts what TypeScript promised.
#pragma once

#include <napi.h>

#include <memory>
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
double number_of(Napi::Value value, const char* name);
bool boolean_of(Napi::Value value, const char* name);

std::span<const int32_t> words_of(Napi::Value value, const char* name);
std::span<const double> doubles_of(Napi::Value value, const char* name);
// A Float32Array, Int32Array or Uint8Array.
BoundView memory_of(Napi::Value value, const char* name);
Dtype dtype_of(Napi::Value value, const char* name);

// JavaScript objects that own a native one: tagged, so that no other object passes for them.
template <typename T>
struct HandleTag;
template <>
struct HandleTag<Slab> {
  static constexpr napi_type_tag kTag{0x6c61b5e1ca711101, 0x9d1b0c5aa3d34f01};
  static constexpr const char* kName = "slab";
};
template <>
struct HandleTag<Program> {
  static constexpr napi_type_tag kTag{0x6c61b5e1ca711102, 0x9d1b0c5aa3d34f02};
  static constexpr const char* kName = "program";
};

template <typename T>
Napi::Object make_handle(Napi::Env env, std::shared_ptr<T> owned) {
  const auto bytes = static_cast<int64_t>(owned->bytes());
  Napi::Object object = Napi::Object::New(env);
  auto* holder = new std::shared_ptr<T>(std::move(owned));
  const auto finalize = [](napi_env raw, void* data, void* /*hint*/) {
    auto* held = static_cast<std::shared_ptr<T>*>(data);
    int64_t total = 0;
    napi_adjust_external_memory(raw, -static_cast<int64_t>((*held)->bytes()), &total);
    delete held;
  };
  if (napi_wrap(env, object, holder, finalize, nullptr, nullptr) != napi_ok) {
    delete holder;
    throw_error(env, "ERR_NATIVE", std::string("cannot wrap a ") + HandleTag<T>::kName);
  }
  napi_type_tag_object(env, object, &HandleTag<T>::kTag);
  Napi::MemoryManagement::AdjustExternalMemory(env, bytes);
  return object;
}

template <typename T>
std::shared_ptr<T> handle_of(Napi::Value value, const char* name) {
  const Napi::Env env = value.Env();
  bool matches = false;
  if (value.IsObject()) napi_check_object_type_tag(env, value, &HandleTag<T>::kTag, &matches);
  void* data = nullptr;
  if (!matches || napi_unwrap(env, value, &data) != napi_ok) {
    throw_error(env, "ERR_NATIVE", std::string("expected a ") + HandleTag<T>::kName + " for '" + name + "'");
  }
  return *static_cast<std::shared_ptr<T>*>(data);
}

}  // namespace carillon
