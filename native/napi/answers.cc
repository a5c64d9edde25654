#include "answers.h"

#include <functional>

#include "environment.h"
#include "guard.h"

namespace carillon {
namespace {

struct Floats {
  float* data;
  size_t count;
};

// Memory of a Float32Array in one question to the engine. Shared memory is refused, as another thread may change it.
Floats floats_of(Napi::Env env, napi_value value, const char* name) {
  napi_typedarray_type type = napi_float64_array;
  size_t count = 0;
  void* data = nullptr;
  napi_value buffer = nullptr;
  bool own = false;
  if (napi_get_typedarray_info(env, value, &type, &count, &data, &buffer, nullptr) != napi_ok ||
      type != napi_float32_array || napi_is_arraybuffer(env, buffer, &own) != napi_ok || !own) {
    throw_error(env, "ERR_NATIVE",
                std::string("expected a Float32Array of memory that is not shared for '") + name + "'");
  }
  return {static_cast<float*>(data), count};
}

size_t rows_of(Napi::Value value, const Program& program) {
  const size_t rows = count_of(value, "rows");
  if (rows < 1 || rows > program.max_rows()) throw_error(value.Env(), "ERR_NATIVE", "rows out of the program's range");
  return rows;
}

void lease(Napi::Env env, Program& program) {
  if (program.input_columns() == 0 || program.output_columns() == 0) {
    throw_error(env, "ERR_NATIVE", "a program without an input or an output");
  }
  if (!program.lease()) throw_error(env, "ERR_BUSY", "another call has the memory of this program");
}

// Addresses of different arrays are compared as what std::less orders.
bool apart(const float* a, size_t a_count, const float* b, size_t b_count) {
  const std::less_equal<> before;
  return before(a + a_count, b) || before(b + b_count, a);
}

}  // namespace

Napi::Value program_answer(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto program = handle_of<Program>(info[0], "program");
  const Floats x = floats_of(env, info[1], "x");
  AnswerRequest request;
  request.rows = rows_of(info[2], *program);
  const Floats y = floats_of(env, info[3], "y");
  request.threads = threads_of(info[4]);
  const size_t read = request.rows * program->input_columns(), written = request.rows * program->output_columns();
  if (x.count < read || y.count < written) throw_error(env, "ERR_NATIVE", "fewer elements than the rows have");
  lease(env, *program);
  request.x = x.data;
  request.y = apart(x.data, read, y.data, written) ? y.data : nullptr;
  const RunResult result = program->answer(request, env.GetInstanceData<Environment>()->turns());
  if (request.y == nullptr) program->read_output(y.data, request.rows);
  program->release();
  return fault_value(env, result);
}

Napi::Value program_answer_async(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto program = handle_of<Program>(info[0], "program");
  AnswerRequest request;
  request.rows = rows_of(info[1], *program);
  request.threads = threads_of(info[2]);
  lease(env, *program);
  return env.GetInstanceData<Environment>()->answer(env, program, request);
}

}  // namespace carillon
