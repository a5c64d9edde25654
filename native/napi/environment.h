// What one JavaScript environment (the main thread or a worker) holds: its share of the threads, the way back into
// JavaScript, and the runs that are under way.
#pragma once

#include <napi.h>

#include <list>
#include <memory>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "../runtime/file_lock.h"
#include "../runtime/workers.h"
#include "clock.h"
#include "handles.h"

namespace carillon {

class Environment {
 public:
  explicit Environment(Napi::Env env);
  ~Environment();
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

  Turns& turns() { return *turns_; }
  Handles& handles() { return handles_; }
  Holds& holds() { return holds_; }
  Clock& clock() { return clock_; }

  // Memory for one kernel at a time on the JavaScript thread; the largest request stays.
  AlignedBuffer& scratch() { return scratch_; }

  // Starts a run on a thread of its own; the promise resolves with the result. The program's slabs are leased already.
  Napi::Promise start(Napi::Env env, std::shared_ptr<Program> program, const RunRequest& request,
                      std::vector<double> lanes);

  // Starts an answer from slab to slab on a thread that stays; the promise resolves with the fault or null. The
  // program's slabs are leased already.
  Napi::Promise answer(Napi::Env env, const std::shared_ptr<Program>& program, const AnswerRequest& request);

  // Writes zeros over new memory on a thread of its own, so that the system finds its pages there and not while
  // JavaScript fills it: the first write to 200 MB takes half a second where the machine is virtual. The slab is leased
  // already.
  Napi::Promise clear(Napi::Env env, std::shared_ptr<Slab> slab);

  // Copies `from` at a step boundary to `to`, which is leased already, on a thread of its own.
  Napi::Promise copy(Napi::Env env, std::shared_ptr<Slab> from, std::shared_ptr<Slab> to);

  // A handle is made: looks at them in the next turn of the event loop.
  void expect_end_of_burst();

  // A lock of this environment, which ends with it: its number, from 1, or why there is none.
  struct Locked {
    LockOutcome outcome;
    uint64_t number;
    std::string error;
  };
  Locked lock(const std::string& path);
  Locked lock_by_making(const std::string& path, const std::string& text);
  void unlock(uint64_t number);

  // Stops and joins every run: afterwards no native thread of this environment exists.
  void shut_down();

 private:
  struct Run;
  struct ProgramRun;
  struct SlabClearing;
  struct AnswerRun;
  struct SlabCopying;
  Napi::Promise start(Napi::Env env, std::unique_ptr<Run> owned);
  void work(Run* run);
  Locked keep(std::unique_ptr<FileLock> owned, LockOutcome outcome);
  void finish(Napi::Env env, Run* run);

  std::shared_ptr<Turns> turns_;
  Napi::ThreadSafeFunction to_javascript_;
  Holds holds_;
  Clock clock_;
  std::list<std::unique_ptr<Run>> runs_;
  Workers workers_;
  AlignedBuffer scratch_;
  Handles handles_;
  std::unordered_map<uint64_t, std::unique_ptr<FileLock>> locks_;
  uint64_t last_lock_ = 0;
  bool expecting_ = false;
  bool closed_ = false;
};

// What made a step impossible, or null.
Napi::Value fault_value(Napi::Env env, const RunResult& result);

// { steps, stopped, fault }
Napi::Object result_object(Napi::Env env, const RunResult& result);

}  // namespace carillon
