#include "args.h"

namespace carillon {

void throw_error(Napi::Env env, const char* code, const std::string& message) {
  Napi::Error error = Napi::Error::New(env, message);
  error.Set("code", Napi::String::New(env, code));
  throw error;
}

namespace {

[[noreturn]] void expected(Napi::Value value, const char* what, const char* name) {
  throw_error(value.Env(), "ERR_NATIVE", std::string("expected ") + what + " for '" + name + "'");
}

}  // namespace

Napi::Value required(Napi::Object object, const char* key) {
  const Napi::Value value = object.Get(key);
  if (value.IsUndefined()) expected(value, "a value", key);
  return value;
}

Napi::Object object_argument(const Napi::CallbackInfo& info, size_t index, const char* name) {
  if (!info[index].IsObject()) expected(info[index], "an object", name);
  return info[index].As<Napi::Object>();
}

double number_of(Napi::Value value, const char* name) {
  if (!value.IsNumber()) expected(value, "a number", name);
  return value.As<Napi::Number>().DoubleValue();
}

size_t count_of(Napi::Value value, const char* name) {
  const double number = number_of(value, name);
  if (!(number >= 0 && number <= 9007199254740991.0)) expected(value, "an integer from 0 to 2^53 - 1", name);
  const auto count = static_cast<size_t>(number);
  if (static_cast<double>(count) != number) expected(value, "an integer from 0 to 2^53 - 1", name);
  return count;
}

unsigned threads_of(Napi::Value value) {
  const size_t threads = count_of(value, "threads");
  if (threads < 1 || threads > 1024) expected(value, "1 to 1024", "threads");
  return static_cast<unsigned>(threads);
}

bool boolean_of(Napi::Value value, const char* name) {
  if (!value.IsBoolean()) expected(value, "a boolean", name);
  return value.As<Napi::Boolean>().Value();
}

std::span<const int32_t> words_of(Napi::Value value, const char* name) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_int32_array) {
    expected(value, "an Int32Array", name);
  }
  const auto array = value.As<Napi::Int32Array>();
  return {array.Data(), array.ElementLength()};
}

std::span<const double> doubles_of(Napi::Value value, const char* name) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_float64_array) {
    expected(value, "a Float64Array", name);
  }
  const auto array = value.As<Napi::Float64Array>();
  return {array.Data(), array.ElementLength()};
}

BoundView memory_of(Napi::Value value, const char* name, bool* shared) {
  const Napi::Env env = value.Env();
  napi_typedarray_type type = napi_float64_array;
  size_t count = 0;
  void* data = nullptr;
  napi_value buffer = nullptr;
  if (napi_get_typedarray_info(env, value, &type, &count, &data, shared == nullptr ? nullptr : &buffer, nullptr) !=
      napi_ok) {
    expected(value, "a typed array", name);
  }
  if (shared != nullptr) {
    bool own = false;
    napi_is_arraybuffer(env, buffer, &own);
    *shared = !own;
  }
  BoundView view;
  view.data = static_cast<std::byte*>(data);
  view.count = count;
  view.writable = true;
  switch (type) {
    case napi_float32_array:
      view.dtype = Dtype::f32;
      break;
    case napi_int32_array:
      view.dtype = Dtype::i32;
      break;
    case napi_uint8_array:
    case napi_uint8_clamped_array:
      view.dtype = Dtype::u8;
      break;
    default:
      expected(value, "a Float32Array, Int32Array or Uint8Array", name);
  }
  return view;
}

Dtype dtype_of(Napi::Value value, const char* name) {
  const std::string text = value.IsString() ? value.As<Napi::String>().Utf8Value() : std::string();
  if (text == "f32") return Dtype::f32;
  if (text == "i32") return Dtype::i32;
  if (text == "u8") return Dtype::u8;
  expected(value, "'f32', 'i32' or 'u8'", name);
}

}  // namespace carillon
