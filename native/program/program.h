// A program: verified instructions over slabs and an arena of its own, run for many steps at a call, off the JavaScript
// thread. Nothing is allocated while steps run.
#pragma once

#include <array>
#include <atomic>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "../runtime/turns.h"
#include "decode.h"
#include "pace.h"
#include "slab.h"

namespace carillon {

// A row of the view table: where a view lies. Slot 0 is the arena; slot i > 0 is slabs[i − 1].
struct ViewEntry {
  int64_t slot;
  int64_t dtype;
  int64_t offset;   // elements
  int64_t count;    // elements, or elements a row of the batch
  int64_t batched;  // 1: count is multiplied by the batch's rows
};
inline constexpr size_t kViewNumbers = 5;

struct ProgramSpec {
  std::span<const int32_t> code;
  std::span<const double> views;  // kViewNumbers a view: integers below 2^53, as data may have 2^31 elements and more
  std::vector<std::shared_ptr<Slab>> slabs;
  std::vector<bool> writable;  // a slab
  std::vector<bool> gated;     // a slab: read between two steps of whoever writes it, without a lease; empty: none
  size_t arena_count = 0;      // 4-byte elements
  size_t max_rows = 0;
  size_t log_columns = 0;
  size_t log_rows = 0;  // steps that one call may log
  size_t lanes = 0;     // schedule values a step
  uint64_t seed = 0;
  // The feed: 0 samples means that the caller says how many rows a step has.
  size_t samples = 0;
  size_t batch = 0;
  bool shuffle = false;
  int32_t order_slot = 0;  // slab that receives the epoch's order
  int32_t rows_slot = 0;   // i32 slab of the numbers of the samples among the rows of the set; 0: they are all rows
  // The feed's first epoch is number origin_epoch, from 0, and begins behind step origin_step.
  size_t origin_step = 0;
  size_t origin_epoch = 0;
  // Instructions [micro_begin, micro_end) run once for every micro-batch of at most max_rows rows, those before and
  // behind once a step; with micro_end = 0 the whole program is one batch.
  size_t micro_begin = 0;
  size_t micro_end = 0;
  // Slots of f32 slabs in whose place answer() takes its caller's memory; 0: none.
  int32_t input_slot = 0;
  int32_t output_slot = 0;
};

struct RunRequest {
  uint32_t first_step = 1;
  size_t steps = 1;
  size_t rows = 0;                // without a feed of every step; with one of the last step, where a stream ends early
  std::span<const double> lanes;  // [steps, lanes]
  unsigned threads = 1;
  Priority priority = Priority::normal;
  bool waits = false;  // takes turns with other runs
  // Of the thread that waits for it, which must not wait for the lock of the turns: a thread of low priority may have
  // it.
  bool alone = false;
};

struct RunResult {
  size_t steps = 0;  // finished
  bool stopped = false;
  Fault fault;
  std::string fault_operation;
  size_t fault_instruction = 0;  // its number
  size_t fault_part = 0;         // rows of the batch before the part whose rows it counts
};

// A call of answer(). x and y may be anybody's memory, apart from each other; nullptr: that of the slabs.
struct AnswerRequest {
  const float* x = nullptr;  // [rows, …]
  float* y = nullptr;        // [rows, …]
  size_t rows = 1;
  unsigned threads = 1;
};

class Program {
 public:
  Program(const ProgramSpec& spec, const KernelTable& kernels);  // throws ProgramError

  // Takes the slabs for a call, or says why not. Every successful lease is followed by release().
  bool lease();
  void release();

  // Runs on the calling thread and helpers until the steps are done, stop() was called (and `turns` woken), or data
  // made a step impossible. Lease required.
  RunResult run(const RunRequest& request, Turns& turns);

  // One step of a program without a feed or schedules: y from x, on the calling thread and helpers. Nothing is
  // allocated. Lease required.
  RunResult answer(const AnswerRequest& request, Turns& turns);
  // Elements a row of what answer() reads and writes; 0 without such a slot.
  size_t input_columns() const { return ends_[0].columns; }
  size_t output_columns() const { return ends_[1].columns; }
  // Copies `rows` rows of the output's slab.
  void read_output(float* y, size_t rows) const {
    std::memcpy(y, ends_[1].home, rows * ends_[1].columns * sizeof(float));
  }

  void stop() { stop_ = true; }
  // Before a call, on the thread that asks: whoever looks meanwhile must not find the steps of the call before.
  void clear_stop() {
    stop_ = false;
    finished_ = 0;
  }

  size_t finished_steps() const { return finished_.load(std::memory_order_acquire); }
  std::span<const float> log() const { return {reinterpret_cast<const float*>(log_.data()), log_.bytes() / 4}; }
  size_t log_columns() const { return log_columns_; }
  size_t log_rows() const { return log_rows_; }
  size_t lanes() const { return lanes_; }
  size_t max_rows() const { return max_rows_; }
  size_t origin_step() const { return origin_step_; }
  bool has_feed() const { return samples_ != 0; }
  size_t bytes() const { return arena_.bytes() + scratch_.bytes() + log_.bytes(); }

 private:
  void verify_feed(const ProgramSpec& spec);
  void find_slabs();
  void prepare_scratch();
  void set_rows(size_t rows);
  void order_epoch(Registers& registers, const Context& context);
  void run_range(const Context& context, size_t begin, size_t end, RunResult& result);
  void run_step(Registers& registers, const Context& context, RunResult& result);
  void hold_writable(bool hold);
  bool is_gated(size_t slab) const;
  void release_slabs(size_t count);
  void enter_gates();
  void leave_gates();

  // One end of the network: where instructions refer to its slab.
  struct End {
    struct Use {
      size_t instruction;
      size_t view;
      size_t offset;  // bytes
    };
    std::byte* home = nullptr;
    std::byte* bound = nullptr;
    size_t slab = 0;  // number of the slab, from 0
    size_t columns = 0;
    std::vector<Use> uses;
  };
  void find_end(End& end, int32_t slot);
  void bind_end(End& end, std::byte* memory);

  const KernelTable& kernels_;
  std::vector<std::shared_ptr<Slab>> slabs_;
  std::vector<bool> writable_;
  std::vector<Slab*> gated_;
  AlignedBuffer arena_;
  AlignedBuffer scratch_;
  AlignedBuffer log_;
  std::vector<BoundView> views_;
  std::vector<std::pair<size_t, size_t>> places_;  // of the views: slot, and bytes from its beginning
  std::vector<std::byte*> bases_;                  // where the slabs lay at the last look
  std::vector<Instruction> instructions_;
  std::vector<Instruction> order_;  // the permutation, where there is a feed
  size_t order_slot_ = 0;
  size_t rows_slot_ = 0;  // 0: none
  size_t max_rows_;
  size_t resolved_rows_ = 0;
  size_t log_columns_;
  size_t log_rows_;
  size_t lanes_;
  uint64_t seed_;
  size_t samples_;
  size_t batch_;
  size_t origin_step_;
  size_t origin_epoch_;
  size_t micro_begin_ = 0;
  size_t micro_end_ = 0;
  int64_t ordered_epoch_ = -1;
  Pace pace_;
  std::array<Pace, 8> answer_paces_;  // by the order of magnitude of the rows
  std::array<End, 2> ends_;           // input, output
  std::atomic<bool> running_{false};
  std::atomic<bool> stop_{false};
  std::atomic<size_t> finished_{0};
};

// Runs one instruction on memory that the caller owns, on the calling thread, at once. `scratch` grows where it must.
struct Execution {
  std::span<const int32_t> code;
  std::span<const BoundView> views;
  Registers registers;
};
Fault execute(const Execution& execution, const KernelTable& kernels, AlignedBuffer& scratch);

}  // namespace carillon
