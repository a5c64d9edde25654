// The instruction is decoded and verified like any other, so that a kernel called alone, an eager operation and a
// program are one code. What this entry saves against `execute` is time around the kernel: no list, no object, no fresh
// scratch memory a call.
#include "kernels.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "../runtime/fp_environment.h"
#include "environment.h"
#include "guard.h"

namespace carillon {
namespace {

constexpr size_t kFirstView = 5;

// Scalars of a rule at most, with the rate.
constexpr size_t kMostLanes = 16;

// Shared memory is refused: another thread may change an index between the check and the read.
BoundView view_of(Napi::Value value) {
  bool shared = false;
  const BoundView view = memory_of(value, "views", &shared);
  if (shared) throw_error(value.Env(), "ERR_NATIVE", "expected memory that is not shared for 'views'");
  return view;
}

size_t lanes_of(Napi::Env env, std::span<const int32_t> words, std::array<double, kMostLanes>& lanes) {
  const size_t count = words.size() / 2;
  if (words.size() % 2 != 0 || count > lanes.size()) throw_error(env, "ERR_NATIVE", "bad words behind the instruction");
  if (count != 0) std::memcpy(lanes.data(), words.data(), count * sizeof(double));
  return count;
}

}  // namespace

Napi::Value run_kernel(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::span<const int32_t> code = words_of(info[0], "code");
  Registers registers;
  registers.seed = count_of(info[1], "seed");
  const size_t step = count_of(info[2], "step");
  if (step > 0xFFFFFFFFu) throw_error(env, "ERR_NATIVE", "expected an integer below 2^32 for 'step'");
  registers.step = static_cast<uint32_t>(step);
  registers.batch_offset = count_of(info[3], "offset");
  registers.rows = 1;
  const unsigned threads = threads_of(info[4]);

  std::array<BoundView, kMaxViews> views;
  const size_t view_count = info.Length() > kFirstView ? info.Length() - kFirstView : 0;
  if (view_count > views.size()) throw_error(env, "ERR_NATIVE", "too many views");
  for (size_t i = 0; i < view_count; ++i) {
    if (!info[kFirstView + i].IsNull()) views[i] = view_of(info[kFirstView + i]);
  }

  auto* const environment = env.GetInstanceData<Environment>();
  RunResult result;
  guarded(env, [&] {
    size_t at = 0;
    const Instruction instruction(code, at, {views.data(), view_count}, 1);
    std::array<double, kMostLanes> lanes;
    registers.lane_count = lanes_of(env, code.subspan(at), lanes);
    registers.lanes = lanes.data();
    std::byte* const scratch = environment->scratch().with_room_for(instruction.scratch_bytes(kernels(env)));
    const FpEnvironment ieee;
    if (threads == 1) {
      instruction.run({kernels(env), Parallel(), registers, scratch, result.fault});
      return 0;
    }
    const std::atomic<bool> never{false};
    Turns::Run run(environment->turns(), Priority::normal, false);
    const unsigned granted = run.begin(threads, never);
    {
      const Parallel parallel = granted > 1 ? Parallel(run.pool(), granted) : Parallel();
      instruction.run({kernels(env), parallel, registers, scratch, result.fault});
    }
    run.end();
    return 0;
  });
  if (result.fault.what == nullptr) return env.Null();
  return result_object(env, result).Get("fault");
}

}  // namespace carillon
