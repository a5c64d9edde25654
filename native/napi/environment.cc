#include "environment.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <new>
#include <system_error>

#include "args.h"

namespace carillon {

// Work on a thread of its own.
struct Environment::Run {
  explicit Run(Napi::Env env) : deferred(env) {}
  virtual ~Run() = default;
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  virtual void work(Turns& turns) = 0;
  virtual void stop() = 0;     // work() is to end soon
  virtual void release() = 0;  // after work(), or instead of it
  virtual Napi::Value result(Napi::Env env) = 0;

  Napi::Promise::Deferred deferred;
  std::thread thread;
};

struct Environment::ProgramRun : Run {
  ProgramRun(Napi::Env env, std::shared_ptr<Program> program_, const RunRequest& request_, std::vector<double> lanes_)
      : Run(env), program(std::move(program_)), lanes(std::move(lanes_)), request(request_) {
    request.lanes = lanes;
    program->clear_stop();
  }
  void work(Turns& turns) override {
    if (request.priority == Priority::background) {
      run_below(turns);
    } else {
      outcome = program->run(request, turns);
    }
  }
  // On a thread below this one. JavaScript waits for the end of this one, and for the lock under which it is told of
  // it: held by a thread of low priority, which loses its core to whom it wakes, they would keep it waiting.
  void run_below(Turns& turns) {
    std::thread below;
    try {
      below = std::thread([&] {
        lower_priority();
        outcome = program->run(request, turns);
      });
    } catch (const std::system_error&) {
      // The system gives no second thread.
      lower_priority();
      outcome = program->run(request, turns);
      return;
    }
    below.join();
  }
  void stop() override { program->stop(); }
  void release() override { program->release(); }
  Napi::Value result(Napi::Env env) override { return result_object(env, outcome); }

  std::shared_ptr<Program> program;
  std::vector<double> lanes;
  RunRequest request;
  RunResult outcome;
};

// What is done between two looks whether it is to end.
constexpr size_t kPart = size_t{4} << 20;

struct Environment::SlabClearing : Run {
  SlabClearing(Napi::Env env, std::shared_ptr<Slab> slab_) : Run(env), slab(std::move(slab_)) {}
  void work(Turns& /*turns*/) override {
    for (size_t at = 0; at < slab->bytes() && !stopped; at += kPart) {
      std::memset(slab->data() + at, 0, std::min(kPart, slab->bytes() - at));
    }
  }
  void stop() override { stopped = true; }
  void release() override { slab->release(true); }
  Napi::Value result(Napi::Env env) override { return env.Undefined(); }

  std::shared_ptr<Slab> slab;
  std::atomic<bool> stopped{false};
};

struct Environment::AnswerRun : Run {
  AnswerRun(Napi::Env env, std::shared_ptr<Program> program_, const AnswerRequest& request_)
      : Run(env), program(std::move(program_)), request(request_) {}
  void work(Turns& turns) override { outcome = program->answer(request, turns); }
  void stop() override {}  // it is short
  void release() override { program->release(); }
  Napi::Value result(Napi::Env env) override { return fault_value(env, outcome); }

  std::shared_ptr<Program> program;
  AnswerRequest request;
  RunResult outcome;
};

struct Environment::SlabCopying : Run {
  SlabCopying(Napi::Env env, std::shared_ptr<Slab> from_, std::shared_ptr<Slab> to_)
      : Run(env), from(std::move(from_)), to(std::move(to_)) {
    from->expect_copy();
  }
  void work(Turns& /*turns*/) override {
    constexpr size_t kPage = 4096;
    for (size_t at = 0; at < to->bytes() && !stopped; at += kPage) to->data()[at] = {};  // pages, before a run waits
    from->gate().between_steps([this] {
      for (size_t at = 0; at < to->bytes() && !stopped; at += kPart) {
        std::memcpy(to->data() + at, from->data() + at, std::min(kPart, to->bytes() - at));
      }
    });
    end();
  }
  void stop() override { stopped = true; }
  void release() override {
    end();  // where it never began
    to->release(true);
  }
  Napi::Value result(Napi::Env env) override { return env.Undefined(); }

  void end() {
    if (!ended.exchange(true)) from->end_copy();
  }

  std::shared_ptr<Slab> from;
  std::shared_ptr<Slab> to;
  std::atomic<bool> stopped{false};
  std::atomic<bool> ended{false};
};

Environment::Environment(Napi::Env env)
    : turns_(Turns::shared()),
      to_javascript_(Napi::ThreadSafeFunction::New(env, Napi::Function(), "carillon", 0, 1)),
      holds_(to_javascript_),
      clock_(env, to_javascript_, holds_) {
  to_javascript_.Unref(env);
  // Registered after the thread-safe functions, so it runs before their own clean-up.
  env.AddCleanupHook([](Environment* self) { self->shut_down(); }, this);
}

Environment::~Environment() = default;

Napi::Promise Environment::start(Napi::Env env, std::shared_ptr<Program> program, const RunRequest& request,
                                 std::vector<double> lanes) {
  return start(env, std::make_unique<ProgramRun>(env, std::move(program), request, std::move(lanes)));
}

Napi::Promise Environment::clear(Napi::Env env, std::shared_ptr<Slab> slab) {
  return start(env, std::make_unique<SlabClearing>(env, std::move(slab)));
}

Napi::Promise Environment::answer(Napi::Env env, const std::shared_ptr<Program>& program,
                                  const AnswerRequest& request) {
  bool posted = false;
  std::list<std::unique_ptr<Run>> made;  // with its place in the list, so that nothing can fail behind it
  try {
    made.push_back(std::make_unique<AnswerRun>(env, program, request));
    Run* run = made.back().get();
    posted = workers_.post([this, run] { work(run); }, thread_limit());
  } catch (const std::bad_alloc&) {
    // As where there is no thread.
  }
  if (!posted) {
    program->release();
    throw_error(env, "ERR_NATIVE", "the system gives no thread for the call");
  }
  holds_.hold(env);
  runs_.splice(runs_.end(), made);
  return runs_.back()->deferred.Promise();
}

void Environment::work(Run* run) {
  run->work(*turns_);
  to_javascript_.NonBlockingCall(run, [this](Napi::Env there, Napi::Function /*none*/, Run* done) {
    if (static_cast<napi_env>(there) != nullptr) finish(there, done);
  });
}

Napi::Promise Environment::copy(Napi::Env env, std::shared_ptr<Slab> from, std::shared_ptr<Slab> to) {
  return start(env, std::make_unique<SlabCopying>(env, std::move(from), std::move(to)));
}

Napi::Promise Environment::start(Napi::Env env, std::unique_ptr<Run> owned) {
  runs_.push_back(std::move(owned));
  Run* run = runs_.back().get();
  holds_.hold(env);
  try {
    run->thread = std::thread([this, run] { work(run); });
  } catch (const std::system_error& error) {
    run->release();
    runs_.pop_back();
    holds_.release(env);
    throw_error(env, "ERR_NATIVE", std::string("the system gives no thread for the run: ") + error.what());
  }
  return run->deferred.Promise();
}

void Environment::finish(Napi::Env env, Run* run) {
  if (closed_) return;
  const Napi::HandleScope scope(env);
  if (run->thread.joinable()) run->thread.join();
  run->release();
  const auto at = std::find_if(runs_.begin(), runs_.end(), [run](const auto& other) { return other.get() == run; });
  std::unique_ptr<Run> done = std::move(*at);
  runs_.erase(at);
  holds_.release(env);
  const Napi::Promise::Deferred deferred = done->deferred;
  const Napi::Value result = done->result(env);
  done.reset();
  handles_.tell(env);  // it may have had the last share of its slabs
  // Last, as it throws where the worker is being terminated: JavaScript cannot run there any more.
  deferred.Resolve(result);
}

void Environment::expect_end_of_burst() {
  if (expecting_) return;
  expecting_ = true;
  to_javascript_.NonBlockingCall([this](Napi::Env there, Napi::Function /*none*/) {
    if (static_cast<napi_env>(there) == nullptr) return;
    expecting_ = false;
    handles_.end_burst(there);
  });
}

Environment::Locked Environment::lock(const std::string& path) {
  auto owned = std::make_unique<FileLock>();
  const LockOutcome outcome = owned->lock(path);
  return keep(std::move(owned), outcome);
}

Environment::Locked Environment::lock_by_making(const std::string& path, const std::string& text) {
  auto owned = std::make_unique<FileLock>();
  const LockOutcome outcome = owned->make(path, text);
  return keep(std::move(owned), outcome);
}

Environment::Locked Environment::keep(std::unique_ptr<FileLock> owned, LockOutcome outcome) {
  if (outcome != LockOutcome::taken) return {outcome, 0, owned->error()};
  locks_.emplace(++last_lock_, std::move(owned));
  return {outcome, last_lock_, {}};
}

void Environment::unlock(uint64_t number) { locks_.erase(number); }

void Environment::shut_down() {
  closed_ = true;
  for (const auto& run : runs_) run->stop();
  turns_->wake();
  workers_.join();
  for (const auto& run : runs_) {
    if (run->thread.joinable()) run->thread.join();
    run->release();
  }
  runs_.clear();
  locks_.clear();
  clock_.shut_down();
  to_javascript_.Abort();
  turns_.reset();  // joins the helpers when this was the last environment
}

Napi::Value fault_value(Napi::Env env, const RunResult& result) {
  if (result.fault.what == nullptr) return env.Null();
  Napi::Object fault = Napi::Object::New(env);
  fault.Set("what", result.fault.what);
  fault.Set("row", Napi::Number::New(env, static_cast<double>(result.fault.row)));
  fault.Set("value", Napi::Number::New(env, static_cast<double>(result.fault.value)));
  fault.Set("limit", Napi::Number::New(env, static_cast<double>(result.fault.limit)));
  if (result.fault.column >= 0) fault.Set("column", Napi::Number::New(env, static_cast<double>(result.fault.column)));
  fault.Set("operation", result.fault_operation);
  fault.Set("instruction", Napi::Number::New(env, static_cast<double>(result.fault_instruction)));
  fault.Set("part", Napi::Number::New(env, static_cast<double>(result.fault_part)));
  return fault;
}

Napi::Object result_object(Napi::Env env, const RunResult& result) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("steps", Napi::Number::New(env, static_cast<double>(result.steps)));
  object.Set("stopped", Napi::Boolean::New(env, result.stopped));
  object.Set("fault", fault_value(env, result));
  return object;
}

}  // namespace carillon
