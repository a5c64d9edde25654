#include "program.h"

#include <algorithm>
#include <chrono>

#include "../runtime/fp_environment.h"

namespace carillon {
namespace {

// A run lets others of the process have a turn after this long.
constexpr std::chrono::milliseconds kQuantum{20};

BoundView bind(const ViewEntry& entry, std::span<const std::shared_ptr<Slab>> slabs, const std::vector<bool>& writable,
               const AlignedBuffer& arena, size_t max_rows) {
  const auto bad = [](const char* what) { throw ProgramError(std::string("view table: ") + what); };
  if (entry.dtype < 0 || entry.dtype > 2) bad("no such dtype");
  if (entry.slot < 0 || static_cast<size_t>(entry.slot) > slabs.size()) bad("no such slot");
  if (entry.offset < 0 || entry.count < 0) bad("negative offset or count");
  const auto dtype = static_cast<Dtype>(entry.dtype);
  BoundView view;
  view.dtype = dtype;
  view.count = static_cast<size_t>(entry.count) * (entry.batched != 0 ? max_rows : 1);
  const auto offset = static_cast<size_t>(entry.offset);
  size_t available = 0;
  std::byte* base = nullptr;
  if (entry.slot == 0) {
    if (dtype == Dtype::u8) bad("the arena holds no u8");
    available = arena.bytes() / 4;
    base = arena.data();
    view.writable = true;
  } else {
    const auto index = static_cast<size_t>(entry.slot) - 1;
    const Slab& slab = *slabs[index];
    if (slab.dtype() != dtype) bad("another dtype than its slab");
    available = slab.count();
    base = slab.data();
    view.writable = writable[index];
  }
  if (offset > available || view.count > available - offset) bad("a view reaches past the end of its slot");
  view.data = base + offset * Slab::bytes_of(dtype);
  return view;
}

std::vector<Instruction> decode_all(std::span<const int32_t> code, std::span<const BoundView> views, size_t max_rows) {
  std::vector<Instruction> instructions;
  for (size_t at = 0; at < code.size();) instructions.emplace_back(code, at, views, max_rows);
  return instructions;
}

}  // namespace

Program::Program(const ProgramSpec& spec, const KernelTable& kernels)
    : kernels_(kernels),
      slabs_(spec.slabs),
      writable_(spec.writable),
      arena_(spec.arena_count * 4),
      log_(spec.log_rows * spec.log_columns * 4),
      max_rows_(spec.max_rows),
      log_columns_(spec.log_columns),
      log_rows_(spec.log_rows),
      lanes_(spec.lanes),
      seed_(spec.seed),
      samples_(spec.samples),
      batch_(spec.batch),
      origin_step_(spec.origin_step),
      origin_epoch_(spec.origin_epoch) {
  if (max_rows_ == 0) throw ProgramError("a batch has at least one row");
  if (spec.views.size() % kViewWords != 0) throw ProgramError("view table of an odd length");
  std::vector<BoundView> views;
  for (size_t at = 0; at < spec.views.size(); at += kViewWords) {
    const int32_t* w = &spec.views[at];
    views.push_back(bind({w[0], w[1], w[2], w[3], w[4]}, slabs_, writable_, arena_, max_rows_));
  }
  instructions_ = decode_all(spec.code, views, max_rows_);
  for (const Instruction& instruction : instructions_) {
    const Arguments a = instruction.arguments();
    const Operation* operation = &instruction.operation();
    if (operation == &op_log_scalar && a.size(0) >= log_columns_) throw ProgramError("log column out of range");
    if (operation == &op_schedule_value && a.size(0) >= lanes_) throw ProgramError("schedule out of range");
    if (operation == &op_update && a.size(1) + a.size(3) + a.size(4) >= lanes_)
      throw ProgramError("schedule out of range");
    if (operation == &op_gather && samples_ == 0) throw ProgramError("gather needs a feed");
  }
  micro_begin_ = spec.micro_begin;
  micro_end_ = spec.micro_end == 0 ? instructions_.size() : spec.micro_end;
  if (micro_begin_ > micro_end_ || micro_end_ > instructions_.size()) throw ProgramError("micro-batch out of range");
  if (samples_ != 0) verify_feed(spec);
  prepare_scratch();
}

void Program::verify_feed(const ProgramSpec& spec) {
  const bool divided = spec.micro_end != 0;
  if (batch_ == 0 || (!divided && batch_ > max_rows_)) throw ProgramError("feed: batch out of range");
  if (samples_ > 0x7FFFFFFF) throw ProgramError("feed: too many examples");
  if (spec.order_slot < 1 || static_cast<size_t>(spec.order_slot) > slabs_.size()) {
    throw ProgramError("feed: no such order slot");
  }
  const Slab& order = *slabs_[static_cast<size_t>(spec.order_slot) - 1];
  // A batch is read at any position of the order; the rows past the last example are never read.
  if (order.dtype() != Dtype::i32 || order.count() < samples_) throw ProgramError("feed: the order is too short");
  for (const Instruction& instruction : instructions_) {
    if (&instruction.operation() != &op_gather) continue;
    const Arguments a = instruction.arguments();
    if (a.views[1] != order.data()) throw ProgramError("gather reads another order than the feed's");
    Instruction single = instruction;  // a short last batch must read fewer rows too
    single.resolve(1);
    if (single.arguments().ints[0] > 1) throw ProgramError("gather of more rows than the batch");
  }
  const BoundView view{order.data(), samples_, Dtype::i32, true};
  const int32_t words[] = {
      static_cast<int32_t>(OperationId::permutation), 1, 2, 0, 0, static_cast<int32_t>(samples_), spec.shuffle ? 1 : 0};
  order_ = decode_all(words, {&view, 1}, 1);
}

bool Program::lease() {
  if (running_.exchange(true)) return false;  // the arena is one run's too
  for (size_t i = 0; i < slabs_.size(); ++i) {
    if (slabs_[i]->lease(writable_[i])) continue;
    for (size_t j = 0; j < i; ++j) slabs_[j]->release(writable_[j]);
    running_ = false;
    return false;
  }
  return true;
}

void Program::release() {
  running_ = false;
  for (size_t i = 0; i < slabs_.size(); ++i) slabs_[i]->release(writable_[i]);
}

void Program::set_rows(size_t rows) {
  if (rows == resolved_rows_) return;
  for (Instruction& instruction : instructions_) instruction.resolve(rows);
  resolved_rows_ = rows;
}

// Instructions run one after another, so that the largest need serves all.
void Program::prepare_scratch() {
  size_t most = 0;
  for (const Instruction& instruction : instructions_) {
    most = std::max(most, instruction.scratch_bytes(kernels_));
  }
  scratch_ = AlignedBuffer(most);
}

void Program::order_epoch(Registers& registers, const Context& context) {
  const size_t per_epoch = (samples_ + batch_ - 1) / batch_;
  const size_t index = registers.step - 1 - origin_step_;
  registers.epoch = static_cast<uint32_t>(origin_epoch_ + index / per_epoch);
  registers.position = index % per_epoch * batch_;
  registers.rows = std::min(batch_, samples_ - registers.position);
  if (ordered_epoch_ == static_cast<int64_t>(registers.epoch)) return;
  for (const Instruction& instruction : order_) instruction.run(context);
  ordered_epoch_ = registers.epoch;
}

// The gates of written slabs, in the order of the slots, so that a reader sees only finished steps.
void Program::hold_writable(bool hold) {
  for (size_t i = 0; i < slabs_.size(); ++i) {
    if (!writable_[i]) continue;
    if (hold) {
      slabs_[i]->gate().begin_step();
    } else {
      slabs_[i]->gate().end_step();
    }
  }
}

void Program::run_range(const Context& context, size_t begin, size_t end, RunResult& result) {
  for (size_t i = begin; i < end && result.fault.what == nullptr; ++i) {
    instructions_[i].run(context);
    if (result.fault.what != nullptr) result.fault_operation = instructions_[i].operation().name;
  }
}

// One optimizer step: the registers are those of each micro-batch, then of the whole batch again.
void Program::run_step(Registers& registers, const Context& context, RunResult& result) {
  const size_t rows = registers.rows;
  const size_t position = registers.position;
  run_range(context, 0, micro_begin_, result);
  for (size_t begin = 0; begin < rows; begin += max_rows_) {
    registers.rows = std::min(max_rows_, rows - begin);
    registers.position = position + begin;
    registers.batch_offset = begin;
    set_rows(registers.rows);
    run_range(context, micro_begin_, micro_end_, result);
  }
  registers.rows = rows;
  registers.position = position;
  registers.batch_offset = 0;
  run_range(context, micro_end_, instructions_.size(), result);
}

RunResult Program::run(const RunRequest& request, Turns& turns) {
  const FpEnvironment environment;
  RunResult result;
  finished_.store(0, std::memory_order_release);
  auto* log = reinterpret_cast<float*>(log_.data());
  using Clock = std::chrono::steady_clock;
  Turns::Run run(turns, request.priority, request.waits);
  while (result.steps < request.steps && !result.stopped && result.fault.what == nullptr) {
    const bool choice = request.threads > 1;
    const bool helped = choice && pace_.helped();
    const unsigned threads = run.begin(helped ? request.threads : 1, stop_);
    if (threads == 0) {
      result.stopped = true;
      break;
    }
    const Parallel parallel = threads > 1 ? Parallel(run.pool(), threads) : Parallel();
    const Clock::time_point from = Clock::now();
    const Clock::time_point until = from + kQuantum;
    const size_t before = result.steps;
    do {
      if (stop_.load(std::memory_order_relaxed)) {
        result.stopped = true;
        break;
      }
      Registers registers;
      registers.seed = seed_;
      registers.step = request.first_step + static_cast<uint32_t>(result.steps);
      registers.rows = request.rows;
      registers.lanes = request.lanes.data() + result.steps * lanes_;
      registers.lane_count = lanes_;
      registers.log_row =
          log_columns_ == 0 ? nullptr : log + result.steps % std::max<size_t>(log_rows_, 1) * log_columns_;
      const Context context{kernels_, parallel, registers, scratch_.data(), result.fault};
      hold_writable(true);
      if (samples_ != 0) order_epoch(registers, context);
      const bool last = result.steps + 1 == request.steps;
      if (samples_ != 0 && last && request.rows != 0) registers.rows = std::min(registers.rows, request.rows);
      run_step(registers, context, result);
      hold_writable(false);
      if (result.fault.what != nullptr) break;
      ++result.steps;
      finished_.store(result.steps, std::memory_order_release);
    } while (result.steps < request.steps && Clock::now() < until);
    run.end();
    // Where other runs have left it no helpers the time says nothing of them.
    if (choice && helped == (parallel.threads() > 1)) {
      pace_.record(result.steps - before, std::chrono::duration<double>(Clock::now() - from).count());
    }
  }
  return result;
}

Fault execute(const Execution& execution, const KernelTable& kernels, AlignedBuffer& scratch) {
  const FpEnvironment environment;
  size_t at = 0;
  Instruction instruction(execution.code, at, execution.views, std::max<size_t>(execution.registers.rows, 1));
  if (at != execution.code.size()) throw ProgramError("one instruction is wanted");
  instruction.resolve(execution.registers.rows);
  std::byte* const room = scratch.with_room_for(instruction.scratch_bytes(kernels));
  const Parallel alone;
  Fault fault;
  const Context context{kernels, alone, execution.registers, room, fault};
  instruction.run(context);
  return fault;
}

}  // namespace carillon
