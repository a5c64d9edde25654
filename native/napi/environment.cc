#include "environment.h"

#include <algorithm>
#include <system_error>

#include "args.h"

namespace carillon {

struct Environment::Run {
  Run(Napi::Env env, std::shared_ptr<Program> owned) : program(std::move(owned)), deferred(env) {}

  std::shared_ptr<Program> program;
  std::vector<double> lanes;
  RunRequest request;
  RunResult result;
  Napi::Promise::Deferred deferred;
  std::thread thread;
};

Environment::Environment(Napi::Env env)
    : turns_(Turns::shared()), to_javascript_(Napi::ThreadSafeFunction::New(env, Napi::Function(), "carillon", 0, 1)) {
  to_javascript_.Unref(env);
  // Registered after the thread-safe function, so it runs before that one's own clean-up.
  env.AddCleanupHook([](Environment* self) { self->shut_down(); }, this);
}

Environment::~Environment() = default;

Napi::Promise Environment::start(Napi::Env env, std::shared_ptr<Program> program, RunRequest request,
                                 std::vector<double> lanes) {
  runs_.push_back(std::make_unique<Run>(env, std::move(program)));
  Run* run = runs_.back().get();
  run->lanes = std::move(lanes);
  run->request = request;
  run->request.lanes = run->lanes;
  run->program->clear_stop();
  if (runs_.size() == 1) to_javascript_.Ref(env);  // a run keeps the process alive
  try {
    run->thread = std::thread([this, run] {
      if (run->request.priority == Priority::background) lower_priority();  // this thread ends with the call
      run->result = run->program->run(run->request, *turns_);
      to_javascript_.NonBlockingCall(run, [this](Napi::Env there, Napi::Function /*none*/, Run* done) {
        if (static_cast<napi_env>(there) != nullptr) finish(there, done);
      });
    });
  } catch (const std::system_error& error) {
    run->program->release();
    runs_.pop_back();
    if (runs_.empty()) to_javascript_.Unref(env);
    throw_error(env, "ERR_NATIVE", std::string("the system gives no thread for the run: ") + error.what());
  }
  return run->deferred.Promise();
}

void Environment::finish(Napi::Env env, Run* run) {
  if (closed_) return;
  const Napi::HandleScope scope(env);
  run->thread.join();
  run->program->release();
  const auto at = std::find_if(runs_.begin(), runs_.end(), [run](const auto& other) { return other.get() == run; });
  const std::unique_ptr<Run> done = std::move(*at);
  runs_.erase(at);
  if (runs_.empty()) to_javascript_.Unref(env);
  // Last, as it throws where the worker is being terminated: JavaScript cannot run there any more.
  done->deferred.Resolve(result_object(env, done->result));
}

void Environment::shut_down() {
  closed_ = true;
  for (const auto& run : runs_) run->program->stop();
  turns_->wake();
  for (const auto& run : runs_) {
    if (run->thread.joinable()) run->thread.join();
    run->program->release();
  }
  runs_.clear();
  to_javascript_.Abort();
  turns_.reset();  // joins the helpers when this was the last environment
}

Napi::Object result_object(Napi::Env env, const RunResult& result) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("steps", Napi::Number::New(env, static_cast<double>(result.steps)));
  object.Set("stopped", Napi::Boolean::New(env, result.stopped));
  if (result.fault.what == nullptr) {
    object.Set("fault", env.Null());
  } else {
    Napi::Object fault = Napi::Object::New(env);
    fault.Set("what", result.fault.what);
    fault.Set("row", Napi::Number::New(env, static_cast<double>(result.fault.row)));
    fault.Set("value", Napi::Number::New(env, static_cast<double>(result.fault.value)));
    fault.Set("limit", Napi::Number::New(env, static_cast<double>(result.fault.limit)));
    fault.Set("operation", result.fault_operation);
    object.Set("fault", fault);
  }
  return object;
}

}  // namespace carillon
