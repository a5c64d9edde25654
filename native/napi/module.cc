// The addon: memory, eager instructions, programs. Everything is checked here or in program/decode.cc; lib/binding
// wraps it.
#include <algorithm>
#include <cstring>
#include <iterator>

#include "answers.h"
#include "environment.h"
#include "guard.h"
#include "kernels.h"
#include "resident.h"

namespace carillon {
namespace {

constexpr int kNumericsVersion = 2;

template <size_t N>
Napi::Array names(Napi::Env env, const char* const (&list)[N]) {
  Napi::Array array = Napi::Array::New(env, N);
  for (size_t i = 0; i < N; ++i) array.Set(static_cast<uint32_t>(i), list[i]);
  return array;
}

#define X(name, ...) #name,
constexpr const char* kOperations[] = {
#include "../ops/operations.def"
};
constexpr const char* kSpreads[] = {
#include "../ops/spreads.def"
};
constexpr const char* kDtypes[] = {
#include "../ops/dtypes.def"
};
constexpr const char* kLayouts[] = {
#include "../ops/layouts.def"
};
constexpr const char* kBags[] = {
#include "../ops/bags.def"
};
constexpr const char* kReaches[] = {
#include "../ops/reaches.def"
};
constexpr const char* kGates[] = {
#include "../kernels/gates.def"
};
constexpr const char* kCells[] = {
#include "../kernels/cells.def"
};
constexpr const char* kForms[] = {
#include "../kernels/forms.def"
};
constexpr const char* kUnary[] = {
#include "../kernels/unary.def"
};
constexpr const char* kBinary[] = {
#include "../kernels/binary.def"
};
constexpr const char* kActivations[] = {
#include "../kernels/activations.def"
};
constexpr const char* kOptimizers[] = {
#include "../kernels/optimizers.def"
};
#undef X

// [{ name, weightBytes, scaleBytes }], by WeightForm.
Napi::Array weight_forms(Napi::Env env) {
  Napi::Array array = Napi::Array::New(env, std::size(kForms));
  for (uint32_t i = 0; i < std::size(kForms); ++i) {
    const FormBytes bytes = form_bytes(static_cast<WeightForm>(i));
    Napi::Object form = Napi::Object::New(env);
    form.Set("name", kForms[i]);
    form.Set("weightBytes", Napi::Number::New(env, static_cast<double>(bytes.weight)));
    form.Set("scaleBytes", Napi::Number::New(env, static_cast<double>(bytes.scale)));
    array.Set(i, form);
  }
  return array;
}

// info() → what the machine and the lists are.
Napi::Value get_info(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Napi::Object object = Napi::Object::New(env);
  object.Set("numericsVersion", kNumericsVersion);
  object.Set("isa", kernels(env).name);
  Napi::Array isas = Napi::Array::New(env);
  for (const KernelTable* table : supported_tables()) isas.Set(isas.Length(), table->name);
  object.Set("isas", isas);
  object.Set("maxStates", Napi::Number::New(env, static_cast<double>(kMaxStates)));
  object.Set("operations", names(env, kOperations));
  Napi::Array operands = Napi::Array::New(env);
  for (int32_t id = 0; const Operation* operation = find_operation(id); ++id) {
    const Operands& words = operation->operands;
    operands.Set(operands.Length(), std::string(words.views) + "; " + words.ints + "; " + words.doubles);
  }
  object.Set("operands", operands);
  object.Set("unary", names(env, kUnary));
  object.Set("binary", names(env, kBinary));
  object.Set("activations", names(env, kActivations));
  object.Set("optimizers", names(env, kOptimizers));
  object.Set("spreads", names(env, kSpreads));
  object.Set("dtypes", names(env, kDtypes));
  object.Set("layouts", names(env, kLayouts));
  object.Set("bags", names(env, kBags));
  object.Set("reaches", names(env, kReaches));
  object.Set("gates", names(env, kGates));
  object.Set("cells", names(env, kCells));
  object.Set("forms", names(env, kForms));
  object.Set("weightForms", weight_forms(env));
  object.Set("packedColumns", Napi::Number::New(env, static_cast<double>(kPackedColumns)));
  return object;
}

// memory() → { bytes, buffers, allocations } of this process.
Napi::Value get_memory(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Napi::Object object = Napi::Object::New(env);
  const MemoryCount& count = memory_count();
  object.Set("bytes", Napi::Number::New(env, static_cast<double>(count.bytes.load())));
  object.Set("buffers", Napi::Number::New(env, static_cast<double>(count.buffers.load())));
  object.Set("allocations", Napi::Number::New(env, static_cast<double>(count.allocations.load())));
  return object;
}

// execute(code: Int32Array, views: TypedArray[], registers: { seed, step, epoch, rows, batchOffset, rate }) → fault |
// null
Napi::Value execute_instruction(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Execution execution;
  execution.code = words_of(info[0], "code");
  if (!info[1].IsArray()) throw_error(env, "ERR_NATIVE", "expected an array for 'views'");
  const auto list = info[1].As<Napi::Array>();
  const uint32_t count = list.Length();
  std::vector<BoundView> views;
  views.reserve(std::min<size_t>(count, kMaxViews));
  for (uint32_t i = 0; i < count; ++i) views.push_back(memory_of(list.Get(i), "views"));
  execution.views = views;
  const Napi::Object r = object_argument(info, 2, "registers");
  execution.registers.seed = count_of(required(r, "seed"), "seed");
  execution.registers.step = static_cast<uint32_t>(count_of(required(r, "step"), "step"));
  execution.registers.epoch = static_cast<uint32_t>(count_of(required(r, "epoch"), "epoch"));
  execution.registers.rows = count_of(required(r, "rows"), "rows");
  execution.registers.batch_offset = count_of(required(r, "batchOffset"), "batchOffset");
  const double rate = number_of(required(r, "rate"), "rate");
  execution.registers.lanes = &rate;
  execution.registers.lane_count = 1;
  RunResult result;
  guarded(env, [&] {
    result.fault = execute(execution, kernels(env), env.GetInstanceData<Environment>()->scratch());
    return 0;
  });
  return fault_value(env, result);
}

// A new native object in a JavaScript one. What is gone is freed before.
template <typename T, typename... Arguments>
Napi::Value make_handle(Napi::Env env, const Arguments&... arguments) {
  auto* const environment = env.GetInstanceData<Environment>();
  environment->handles().sweep_if_due(env);
  environment->expect_end_of_burst();
  return guarded(env, [&] { return environment->handles().add(env, std::make_unique<T>(arguments...)); });
}

// slabCreate(count, dtype) → slab, zeroed
Napi::Value slab_create(const Napi::CallbackInfo& info) {
  const size_t count = count_of(info[0], "count");
  const Dtype dtype = dtype_of(info[1], "dtype");
  if (count > (size_t{1} << 40)) throw_error(info.Env(), "ERR_NATIVE", "a slab of more than 2^40 elements");
  return make_handle<Slab>(info.Env(), count, dtype);
}

// slabClear(slab) → Promise: zeros over memory that nothing was written to, on a native thread
Napi::Value slab_clear(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  auto slab = handle_of<Slab>(info[0], "slab");
  if (!slab->lease(true)) throw_error(env, "ERR_BUSY", "a run has this memory");
  return env.GetInstanceData<Environment>()->clear(env, std::move(slab));
}

// The bytes of slab[offset, offset + array.length), checked.
std::byte* slab_range(Napi::Env env, const Slab& slab, size_t offset, const BoundView& array) {
  if (array.dtype != slab.dtype()) throw_error(env, "ERR_NATIVE", "the array and the slab have different dtypes");
  if (offset > slab.count() || array.count > slab.count() - offset) {
    throw_error(env, "ERR_NATIVE", "the range reaches past the end of the slab");
  }
  return slab.data() + offset * Slab::bytes_of(slab.dtype());
}

// slabRead(slab, offset, target: TypedArray): copies at a step boundary
Napi::Value slab_read(const Napi::CallbackInfo& info) {
  const auto slab = handle_of<Slab>(info[0], "slab");
  const BoundView target = memory_of(info[2], "target");
  const std::byte* from = slab_range(info.Env(), *slab, count_of(info[1], "offset"), target);
  const size_t bytes = target.count * Slab::bytes_of(target.dtype);
  if (bytes != 0) slab->gate().between_steps([&] { std::memcpy(target.data, from, bytes); });
  return info.Env().Undefined();
}

// slabWrite(slab, offset, source: TypedArray): refused while a run has the slab; waits for who reads it at its gate
Napi::Value slab_write(const Napi::CallbackInfo& info) {
  const auto slab = handle_of<Slab>(info[0], "slab");
  const BoundView source = memory_of(info[2], "source");
  std::byte* to = slab_range(info.Env(), *slab, count_of(info[1], "offset"), source);
  if (slab->leased()) throw_error(info.Env(), "ERR_BUSY", "a run has this memory");
  const size_t bytes = source.count * Slab::bytes_of(source.dtype);
  slab->await_copies();
  if (bytes != 0) slab->gate().alone([&] { std::memcpy(to, source.data, bytes); });
  return info.Env().Undefined();
}

// Two slabs of one size, of which the second is free to be written.
void expect_alike(Napi::Env env, const Slab& from, const Slab& to) {
  if (from.count() != to.count() || from.dtype() != to.dtype()) {
    throw_error(env, "ERR_NATIVE", "the slabs have different sizes");
  }
  if (to.leased()) throw_error(env, "ERR_BUSY", "a run has this memory");
}

// slabCopy(from, to): the whole slab, at a step boundary
Napi::Value slab_copy(const Napi::CallbackInfo& info) {
  const auto from = handle_of<Slab>(info[0], "from");
  const auto to = handle_of<Slab>(info[1], "to");
  if (from == to) return info.Env().Undefined();
  expect_alike(info.Env(), *from, *to);
  to->await_copies();
  if (from->bytes() != 0) {
    from->gate().between_steps(
        [&] { to->gate().alone([&] { std::memcpy(to->data(), from->data(), from->bytes()); }); });
  }
  return info.Env().Undefined();
}

// slabCopyLater(from, to) → Promise: the same on a native thread
Napi::Value slab_copy_later(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  auto from = handle_of<Slab>(info[0], "from");
  auto to = handle_of<Slab>(info[1], "to");
  if (from == to) throw_error(env, "ERR_NATIVE", "expected two slabs");
  expect_alike(env, *from, *to);
  to->await_copies();
  if (!to->lease(true)) throw_error(env, "ERR_BUSY", "a run has this memory");
  return env.GetInstanceData<Environment>()->copy(env, std::move(from), std::move(to));
}

// slabSwap(a, b): each has the memory of the other, also for programs
Napi::Value slab_swap(const Napi::CallbackInfo& info) {
  const auto a = handle_of<Slab>(info[0], "a");
  const auto b = handle_of<Slab>(info[1], "b");
  if (a == b) return info.Env().Undefined();
  expect_alike(info.Env(), *a, *b);
  expect_alike(info.Env(), *b, *a);
  a->await_copies();
  b->await_copies();
  a->swap(*b);
  return info.Env().Undefined();
}

// programCreate(spec) → program, verified
Napi::Value program_create(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Napi::Object object = object_argument(info, 0, "spec");
  ProgramSpec spec;
  spec.code = words_of(required(object, "code"), "code");
  spec.views = doubles_of(required(object, "views"), "views");
  const Napi::Value slabs = required(object, "slabs");
  if (!slabs.IsArray()) throw_error(env, "ERR_NATIVE", "expected an array for 'slabs'");
  const auto list = slabs.As<Napi::Array>();
  for (uint32_t i = 0; i < list.Length(); ++i) {
    const Napi::Value entry = list.Get(i);
    if (!entry.IsObject()) throw_error(env, "ERR_NATIVE", "expected { slab, writable } in 'slabs'");
    spec.slabs.push_back(handle_of<Slab>(required(entry.As<Napi::Object>(), "slab"), "slab"));
    spec.writable.push_back(boolean_of(required(entry.As<Napi::Object>(), "writable"), "writable"));
    spec.gated.push_back(entry.As<Napi::Object>().Has("gated") &&
                         boolean_of(required(entry.As<Napi::Object>(), "gated"), "gated"));
  }
  const auto count = [&](const char* key) { return count_of(required(object, key), key); };
  spec.arena_count = count("arenaCount");
  spec.max_rows = count("maxRows");
  spec.log_columns = count("logColumns");
  spec.log_rows = count("logRows");
  spec.lanes = count("lanes");
  spec.seed = count("seed");
  spec.samples = count("samples");
  spec.batch = count("batch");
  spec.shuffle = boolean_of(required(object, "shuffle"), "shuffle");
  if (object.Has("originStep")) spec.origin_step = count("originStep");
  if (object.Has("originEpoch")) spec.origin_epoch = count("originEpoch");
  spec.micro_begin = count("microBegin");
  spec.micro_end = count("microEnd");
  const auto slot = [&](const char* key) { return static_cast<int32_t>(std::min<size_t>(count(key), 1u << 30)); };
  spec.order_slot = slot("orderSlot");
  if (object.Has("rowsSlot")) spec.rows_slot = slot("rowsSlot");
  if (object.Has("inputSlot")) spec.input_slot = slot("inputSlot");
  if (object.Has("outputSlot")) spec.output_slot = slot("outputSlot");
  const size_t limit = size_t{1} << 31;
  if (spec.arena_count > limit || spec.max_rows > limit || spec.log_columns > 4096 || spec.log_rows > limit / 4096) {
    throw_error(env, "ERR_NATIVE", "a size of the program is out of range");
  }
  return make_handle<Program>(env, spec, kernels(env));
}

// The request of programRun and programRunSync; `lanes` keeps the schedule values.
RunRequest request_of(const Napi::CallbackInfo& info, const Program& program, std::vector<double>& lanes) {
  const Napi::Env env = info.Env();
  const Napi::Object object = object_argument(info, 1, "request");
  RunRequest request;
  const size_t first = count_of(required(object, "firstStep"), "firstStep");
  request.steps = count_of(required(object, "steps"), "steps");
  request.rows = count_of(required(object, "rows"), "rows");
  request.threads = threads_of(required(object, "threads"));
  if (first <= program.origin_step() || first + request.steps > 0xFFFFFFFFu) {
    throw_error(env, "ERR_NATIVE", "steps out of range");
  }
  request.first_step = static_cast<uint32_t>(first);
  request.waits = boolean_of(required(object, "waits"), "waits");
  if (boolean_of(required(object, "background"), "background")) request.priority = Priority::background;
  if (!program.has_feed() && (request.rows < 1 || request.rows > program.max_rows())) {
    throw_error(env, "ERR_NATIVE", "rows out of the program's range");
  }
  const std::span<const double> values = doubles_of(required(object, "lanes"), "lanes");
  if (values.size() != request.steps * program.lanes()) {
    throw_error(env, "ERR_NATIVE", "one value a step and schedule is wanted for 'lanes'");
  }
  lanes.assign(values.begin(), values.end());
  request.lanes = lanes;
  return request;
}

void lease(Napi::Env env, Program& program) {
  if (!program.lease()) throw_error(env, "ERR_BUSY", "another run has the memory of this program");
}

// programRun(program, { firstStep, steps, rows, lanes, threads, waits, background }) → Promise of what programRunSync
// gives
Napi::Value program_run(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto program = handle_of<Program>(info[0], "program");
  std::vector<double> lanes;
  const RunRequest request = request_of(info, *program, lanes);
  lease(env, *program);
  return env.GetInstanceData<Environment>()->start(env, program, request, std::move(lanes));
}

// programRunSync(program, request) → { steps, stopped, fault }, on the calling thread alone
Napi::Value program_run_sync(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto program = handle_of<Program>(info[0], "program");
  std::vector<double> lanes;
  RunRequest request = request_of(info, *program, lanes);
  request.alone = true;
  lease(env, *program);
  program->clear_stop();
  const RunResult result = program->run(request, env.GetInstanceData<Environment>()->turns());
  program->release();
  return result_object(env, result);
}

// programStop(program): the run ends after the step in hand
Napi::Value program_stop(const Napi::CallbackInfo& info) {
  handle_of<Program>(info[0], "program")->stop();
  info.Env().GetInstanceData<Environment>()->turns().wake();
  return info.Env().Undefined();
}

// programFinished(program) → steps finished by the current or last call
Napi::Value program_finished(const Napi::CallbackInfo& info) {
  const auto program = handle_of<Program>(info[0], "program");
  return Napi::Number::New(info.Env(), static_cast<double>(program->finished_steps()));
}

// programLog(program, begin, target: Float32Array): rows [begin, begin + target.length / columns) of finished steps
Napi::Value program_log(const Napi::CallbackInfo& info) {
  const auto program = handle_of<Program>(info[0], "program");
  const size_t begin = count_of(info[1], "begin");
  const BoundView target = memory_of(info[2], "target");
  const size_t columns = program->log_columns();
  if (columns == 0 || target.dtype != Dtype::f32 || target.count % columns != 0) {
    throw_error(info.Env(), "ERR_NATIVE", "expected a Float32Array of whole rows for 'target'");
  }
  const size_t finished = std::min(program->finished_steps(), program->log_rows());
  if (begin > finished || target.count / columns > finished - begin) {
    throw_error(info.Env(), "ERR_NATIVE", "these steps are not finished");
  }
  if (target.count != 0)
    std::memcpy(target.data, program->log().data() + begin * columns, target.count * sizeof(float));
  return info.Env().Undefined();
}

// threadLimit(threads?) → threads of this process that compute at once, after setting them where they are given
Napi::Value get_thread_limit(const Napi::CallbackInfo& info) {
  if (!info[0].IsUndefined()) {
    set_thread_limit(threads_of(info[0]));
    info.Env().GetInstanceData<Environment>()->turns().wake();
  }
  return Napi::Number::New(info.Env(), thread_limit());
}

// threadDefault(threads): sets them where nobody has
Napi::Value set_thread_default(const Napi::CallbackInfo& info) {
  set_default_thread_limit(threads_of(info[0]));
  return info.Env().Undefined();
}

// processors() → numbers of the processors that this process may use
Napi::Value get_processors(const Napi::CallbackInfo& info) {
  const std::vector<int> processors = usable_processors();
  Napi::Array numbers = Napi::Array::New(info.Env(), processors.size());
  for (size_t i = 0; i < processors.size(); ++i) numbers.Set(static_cast<uint32_t>(i), processors[i]);
  return numbers;
}

// now() → milliseconds of a clock that only goes forward
Napi::Value get_now(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), Clock::now()); }

// turn() → Promise, when the event loop has come to what waits now
Napi::Value take_turn(const Napi::CallbackInfo& info) {
  return info.Env().GetInstanceData<Environment>()->clock().turn(info.Env());
}

// timerStart(milliseconds, then) → number
Napi::Value timer_start(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const double milliseconds = number_of(info[0], "milliseconds");
  if (!(milliseconds >= 0 && milliseconds <= 1e9))
    throw_error(env, "ERR_NATIVE", "expected 0 to 1e9 for 'milliseconds'");
  if (!info[1].IsFunction()) throw_error(env, "ERR_NATIVE", "expected a function for 'then'");
  Clock& clock = env.GetInstanceData<Environment>()->clock();
  const uint64_t number = clock.start_timer(env, milliseconds, info[1].As<Napi::Function>());
  return Napi::Number::New(env, static_cast<double>(number));
}

// timerStop(number): what has fired or was stopped before is none any more
Napi::Value timer_stop(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  env.GetInstanceData<Environment>()->clock().stop_timer(env, count_of(info[0], "number"));
  return env.Undefined();
}

// hold(): the process lives until as many release() have followed
Napi::Value hold(const Napi::CallbackInfo& info) {
  info.Env().GetInstanceData<Environment>()->holds().hold(info.Env());
  return info.Env().Undefined();
}

Napi::Value release(const Napi::CallbackInfo& info) {
  info.Env().GetInstanceData<Environment>()->holds().release(info.Env());
  return info.Env().Undefined();
}

std::string text_of(Napi::Value value, const char* name) {
  if (!value.IsString()) throw_error(value.Env(), "ERR_NATIVE", std::string("expected a string for '") + name + "'");
  return value.As<Napi::String>().Utf8Value();
}

// lockTake(path, text | null) → number of a lock on the file that is there, or on one of this text that is made;
// 'held': somebody has it; 'unsupported': the file system has no locks
Napi::Value lock_take(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Environment* const environment = env.GetInstanceData<Environment>();
  const std::string path = text_of(info[0], "path");
  if (path.find('\0') != std::string::npos) throw_error(env, "ERR_NATIVE", "expected a path without zeros for 'path'");
  const Environment::Locked locked = guarded(env, [&] {
    return info[1].IsNull() ? environment->lock(path) : environment->lock_by_making(path, text_of(info[1], "text"));
  });
  switch (locked.outcome) {
    case LockOutcome::taken:
      return Napi::Number::New(env, static_cast<double>(locked.number));
    case LockOutcome::held:
      return Napi::String::New(env, "held");
    case LockOutcome::unsupported:
      return Napi::String::New(env, "unsupported");
    default:
      throw_error(env, "ERR_FILE", locked.error);
  }
}

// lockRelease(number): one that is released is none any more
Napi::Value lock_release(const Napi::CallbackInfo& info) {
  info.Env().GetInstanceData<Environment>()->unlock(count_of(info[0], "number"));
  return info.Env().Undefined();
}

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  stay_resident();
  env.SetInstanceData(new Environment(env));
  const auto add = [&](const char* name, Napi::Value (*function)(const Napi::CallbackInfo&)) {
    exports.Set(name, Napi::Function::New(env, function, name));
  };
  add("info", get_info);
  add("memory", get_memory);
  add("threadLimit", get_thread_limit);
  add("threadDefault", set_thread_default);
  add("processors", get_processors);
  add("execute", execute_instruction);
  add("kernel", run_kernel);
  add("slabCreate", slab_create);
  add("slabClear", slab_clear);
  add("slabRead", slab_read);
  add("slabWrite", slab_write);
  add("slabCopy", slab_copy);
  add("slabCopyLater", slab_copy_later);
  add("slabSwap", slab_swap);
  add("programCreate", program_create);
  add("programRun", program_run);
  add("programRunSync", program_run_sync);
  add("programStop", program_stop);
  add("programFinished", program_finished);
  add("programLog", program_log);
  add("programAnswer", program_answer);
  add("programAnswerAsync", program_answer_async);
  add("now", get_now);
  add("turn", take_turn);
  add("timerStart", timer_start);
  add("timerStop", timer_stop);
  add("hold", hold);
  add("release", release);
  add("lockTake", lock_take);
  add("lockRelease", lock_release);
  return exports;
}

}  // namespace

NODE_API_MODULE(carillon, initialize)

}  // namespace carillon
