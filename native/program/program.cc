#include "program.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <optional>

#include "../ops/gather.h"
#include "../ops/random.h"
#include "../ops/update.h"
#include "../runtime/fp_environment.h"

namespace carillon {
namespace {

// A run lets others of the process have a turn after this long.
constexpr std::chrono::milliseconds kQuantum{20};

// An integer of the view table.
int64_t integer(double number) {
  constexpr double kMost = 9007199254740991.0;
  if (!(number >= -kMost && number <= kMost)) throw ProgramError("view table: a number out of range");
  const auto value = static_cast<int64_t>(number);
  if (static_cast<double>(value) != number) throw ProgramError("view table: a number that is no integer");
  return value;
}

BoundView bind_view(const ViewEntry& entry, std::span<const std::shared_ptr<Slab>> slabs,
                    const std::vector<bool>& writable, const AlignedBuffer& arena, size_t max_rows) {
  const auto bad = [](const char* what) { throw ProgramError(std::string("view table: ") + what); };
  if (entry.dtype < 0 || entry.dtype > 2) bad("no such dtype");
  if (entry.slot < 0 || static_cast<size_t>(entry.slot) > slabs.size()) bad("no such slot");
  if (entry.offset < 0 || entry.count < 0) bad("negative offset or count");
  constexpr int64_t kMost = int64_t{1} << 40;  // elements of a slab
  const int64_t times = entry.batched != 0 ? static_cast<int64_t>(max_rows) : 1;
  if (entry.offset > kMost || entry.count > kMost / times) bad("offset or count out of range");
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
  if (spec.views.size() % kViewNumbers != 0) throw ProgramError("view table of an odd length");
  for (size_t at = 0; at < spec.views.size(); at += kViewNumbers) {
    const double* w = &spec.views[at];
    const ViewEntry entry{integer(w[0]), integer(w[1]), integer(w[2]), integer(w[3]), integer(w[4])};
    views_.push_back(bind_view(entry, slabs_, writable_, arena_, max_rows_));
    places_.emplace_back(static_cast<size_t>(entry.slot),
                         static_cast<size_t>(entry.offset) * Slab::bytes_of(views_.back().dtype));
  }
  for (const auto& slab : slabs_) bases_.push_back(slab->data());
  instructions_ = decode_all(spec.code, views_, max_rows_);
  for (const Instruction& instruction : instructions_) {
    const Arguments a = instruction.arguments();
    const Operation* operation = &instruction.operation();
    if (operation == &op_log_scalar && a.size(0) >= log_columns_) throw ProgramError("log column out of range");
    if (operation == &op_schedule_value && a.size(0) >= lanes_) throw ProgramError("schedule out of range");
    if (reads_lanes(operation) && lanes_end(a) > lanes_) throw ProgramError("schedule out of range");
    if (operation == &op_update && last_lane(a) >= lanes_) throw ProgramError("schedule out of range");
    if (order_view(operation) >= 0 && samples_ == 0) throw ProgramError("gather needs a feed");
  }
  micro_begin_ = spec.micro_begin;
  micro_end_ = spec.micro_end == 0 ? instructions_.size() : spec.micro_end;
  if (micro_begin_ > micro_end_ || micro_end_ > instructions_.size()) throw ProgramError("micro-batch out of range");
  if (samples_ != 0) verify_feed(spec);
  for (size_t i = 0; i < spec.gated.size(); ++i) {
    if (!spec.gated[i]) continue;
    if (writable_[i]) throw ProgramError("a slab that is read between steps is written");
    if (std::count(slabs_.begin(), slabs_.end(), slabs_[i]) != 1) {
      throw ProgramError("a slab that is read between steps has two slots");  // its gate would be taken twice
    }
    gated_.push_back(slabs_[i].get());
  }
  const bool answers = spec.input_slot != 0 || spec.output_slot != 0;
  if (answers && (samples_ != 0 || lanes_ != 0 || !gated_.empty())) {
    throw ProgramError("answers need more than their input");  // a feed, schedules, a gate: answer() has none of them
  }
  find_end(ends_[0], spec.input_slot);
  find_end(ends_[1], spec.output_slot);
  prepare_scratch();
}

// Every view of the slab at either end may lie in the memory of a caller.
void Program::find_end(End& end, int32_t slot) {
  if (slot == 0) return;
  if (slot < 0 || static_cast<size_t>(slot) > slabs_.size()) throw ProgramError("no such slot of an end");
  end.slab = static_cast<size_t>(slot) - 1;
  const Slab& slab = *slabs_[end.slab];
  if (slab.dtype() != Dtype::f32 || slab.count() % max_rows_ != 0) throw ProgramError("an end of another size");
  end.home = end.bound = slab.data();
  end.columns = slab.count() / max_rows_;
  for (size_t i = 0; i < instructions_.size(); ++i) {
    const Arguments a = instructions_[i].arguments();
    for (size_t view = 0; view < instructions_[i].view_count(); ++view) {
      auto* const at = static_cast<std::byte*>(a.views[view]);
      if (at >= slab.data() && at < slab.data() + slab.bytes()) {
        end.uses.push_back({i, view, static_cast<size_t>(at - slab.data())});
      }
    }
  }
}

void Program::bind_end(End& end, std::byte* memory) {
  if (memory == end.bound) return;
  for (const auto& [instruction, view, offset] : end.uses) instructions_[instruction].rebind(view, memory + offset);
  end.bound = memory;
}

void Program::verify_feed(const ProgramSpec& spec) {
  const bool divided = spec.micro_end != 0;
  if (batch_ == 0 || (!divided && batch_ > max_rows_)) throw ProgramError("feed: batch out of range");
  if (samples_ > 0x7FFFFFFF) throw ProgramError("feed: too many examples");
  if (spec.order_slot < 1 || static_cast<size_t>(spec.order_slot) > slabs_.size()) {
    throw ProgramError("feed: no such order slot");
  }
  order_slot_ = static_cast<size_t>(spec.order_slot);
  const Slab& order = *slabs_[order_slot_ - 1];
  // A batch is read at any position of the order; the rows past the last example are never read.
  if (order.dtype() != Dtype::i32 || order.count() < samples_) throw ProgramError("feed: the order is too short");
  for (const Instruction& instruction : instructions_) {
    const int read = order_view(&instruction.operation());
    if (read < 0) continue;
    const Arguments a = instruction.arguments();
    if (a.views[read] != order.data()) throw ProgramError("gather reads another order than the feed's");
    Instruction single = instruction;  // a short last batch must read fewer rows too
    single.resolve(1);
    if (single.arguments().ints[GatherAt::rows] > 1) throw ProgramError("gather of more rows than the batch");
  }
  if (spec.rows_slot != 0) {
    if (spec.rows_slot < 1 || static_cast<size_t>(spec.rows_slot) > slabs_.size()) {
      throw ProgramError("feed: no such rows slot");
    }
    rows_slot_ = static_cast<size_t>(spec.rows_slot);
    const Slab& rows = *slabs_[rows_slot_ - 1];
    if (rows.dtype() != Dtype::i32 || rows.count() < samples_) throw ProgramError("feed: too few rows");
    if (&rows == &order) throw ProgramError("feed: the rows are the order");
  }
  const BoundView view{order.data(), samples_, Dtype::i32, true};
  const int32_t words[] = {
      static_cast<int32_t>(OperationId::permutation), 1, 2, 0, 0, static_cast<int32_t>(samples_), spec.shuffle ? 1 : 0};
  order_ = decode_all(words, {&view, 1}, 1);
}

// The memory of a slab may have been exchanged since the last run.
void Program::find_slabs() {
  bool moved = false;
  for (size_t i = 0; i < slabs_.size(); ++i) {
    moved = moved || bases_[i] != slabs_[i]->data();
    bases_[i] = slabs_[i]->data();
  }
  if (!moved) return;
  for (size_t i = 0; i < views_.size(); ++i) {
    const auto [slot, offset] = places_[i];
    if (slot != 0) views_[i].data = bases_[slot - 1] + offset;
  }
  for (Instruction& instruction : instructions_) instruction.rebind(views_);
  for (End& end : ends_) {
    if (end.home != nullptr) end.home = end.bound = bases_[end.slab];
  }
  if (order_.empty()) return;
  const BoundView order{bases_[order_slot_ - 1], samples_, Dtype::i32, true};
  for (Instruction& instruction : order_) instruction.rebind({&order, 1});
}

bool Program::lease() {
  if (running_.exchange(true)) return false;  // the arena is one run's too
  for (size_t i = 0; i < slabs_.size(); ++i) {
    if (is_gated(i) || slabs_[i]->lease(writable_[i])) continue;
    release_slabs(i);
    running_ = false;
    return false;
  }
  return true;
}

void Program::release() {
  running_ = false;
  release_slabs(slabs_.size());
}

void Program::release_slabs(size_t count) {
  for (size_t i = 0; i < count; ++i) {
    if (!is_gated(i)) slabs_[i]->release(writable_[i]);
  }
}

bool Program::is_gated(size_t slab) const {
  return !gated_.empty() && std::find(gated_.begin(), gated_.end(), slabs_[slab].get()) != gated_.end();
}

// A run takes the gates of what it writes in an order of its own: so who waits for one here holds no other.
void Program::enter_gates() {
  for (size_t first = 0; !gated_.empty();) {
    gated_[first]->gate().enter();
    size_t taken = 1;
    while (taken < gated_.size() && gated_[(first + taken) % gated_.size()]->gate().try_enter()) ++taken;
    if (taken == gated_.size()) return;
    for (size_t i = 0; i < taken; ++i) gated_[(first + i) % gated_.size()]->gate().leave();
    first = (first + taken) % gated_.size();
  }
}

void Program::leave_gates() {
  for (Slab* slab : gated_) slab->gate().leave();
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
  if (rows_slot_ != 0) {  // gather looks whether the set has such rows
    auto* const order = reinterpret_cast<int32_t*>(bases_[order_slot_ - 1]);
    const auto* const rows = reinterpret_cast<const int32_t*>(bases_[rows_slot_ - 1]);
    for (size_t i = 0; i < samples_; ++i) order[i] = rows[order[i]];
  }
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
    if (result.fault.what == nullptr) continue;
    result.fault_operation = instructions_[i].operation().name;
    result.fault_instruction = i;
    result.fault_part = context.registers.batch_offset;
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
  if (gated_.empty()) find_slabs();  // what is not leased may be exchanged until its gate is taken
  RunResult result;
  for (End& end : ends_) bind_end(end, end.home);
  finished_.store(0, std::memory_order_release);
  auto* log = reinterpret_cast<float*>(log_.data());
  using Clock = std::chrono::steady_clock;
  std::optional<Turns::Run> run;
  if (!request.alone) run.emplace(turns, request.priority, request.waits);
  while (result.steps < request.steps && !result.stopped && result.fault.what == nullptr) {
    const bool choice = run && request.threads > 1;
    const bool helped = choice && pace_.helped();
    const unsigned threads = run ? run->begin(helped ? request.threads : 1, stop_) : 1;
    if (threads == 0) {
      result.stopped = true;
      break;
    }
    const Parallel parallel = threads > 1 ? Parallel(run->pool(), threads) : Parallel();
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
      enter_gates();
      if (!gated_.empty()) find_slabs();
      hold_writable(true);
      if (samples_ != 0) order_epoch(registers, context);
      const bool last = result.steps + 1 == request.steps;
      if (samples_ != 0 && last && request.rows != 0) registers.rows = std::min(registers.rows, request.rows);
      run_step(registers, context, result);
      hold_writable(false);
      leave_gates();
      if (result.fault.what != nullptr) break;
      ++result.steps;
      finished_.store(result.steps, std::memory_order_release);
    } while (result.steps < request.steps && Clock::now() < until);
    if (run) run->end();
    // Where other runs have left it no helpers the time says nothing of them.
    if (choice && helped == (parallel.threads() > 1)) {
      pace_.record(result.steps - before, std::chrono::duration<double>(Clock::now() - from).count());
    }
  }
  return result;
}

RunResult Program::answer(const AnswerRequest& request, Turns& turns) {
  const FpEnvironment environment;
  find_slabs();
  RunResult result;
  bind_end(ends_[0], request.x == nullptr
                         ? ends_[0].home
                         : const_cast<std::byte*>(reinterpret_cast<const std::byte*>(request.x)));  // read only
  bind_end(ends_[1], request.y == nullptr ? ends_[1].home : reinterpret_cast<std::byte*>(request.y));
  using Clock = std::chrono::steady_clock;
  Pace& pace = answer_paces_[std::min(static_cast<size_t>(std::bit_width(request.rows)) / 2, answer_paces_.size() - 1)];
  const bool choice = request.threads > 1;
  const bool helped = choice && pace.helped();
  Turns::Run run(turns, Priority::normal, false);
  const unsigned threads = run.begin(helped ? request.threads : 1, stop_);
  const Parallel parallel = threads > 1 ? Parallel(run.pool(), threads) : Parallel();
  const Clock::time_point from = choice ? Clock::now() : Clock::time_point();
  Registers registers;
  registers.seed = seed_;
  registers.step = 1;
  registers.rows = request.rows;
  const Context context{kernels_, parallel, registers, scratch_.data(), result.fault};
  set_rows(request.rows);
  run_range(context, 0, instructions_.size(), result);
  run.end();
  if (choice && helped == (parallel.threads() > 1)) {
    pace.record(1, std::chrono::duration<double>(Clock::now() - from).count());
  }
  result.steps = result.fault.what == nullptr ? 1 : 0;
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
