#include "decode.h"

#include <cstring>

#include "../ops/gather.h"

namespace carillon {
namespace {

size_t bytes_of(Dtype dtype) { return dtype == Dtype::u8 ? 1 : 4; }

[[noreturn]] void refuse(const Operation& operation, const std::string& message) {
  throw ProgramError(std::string("operation '") + operation.name + "': " + message);
}

bool writes(char kind) { return kind == 'F' || kind == 'I' || kind == 'M' || kind == 'X' || kind == 'U'; }

bool dtype_fits(char kind, Dtype dtype) {
  switch (kind) {
    case 'f':
    case 'F':
    case 'M':
      return dtype == Dtype::f32;
    case 'i':
    case 'I':
      return dtype == Dtype::i32;
    case 'u':
    case 'U':
      return dtype == Dtype::u8;
    default:
      return true;
  }
}

}  // namespace

Instruction::Instruction(std::span<const int32_t> words, size_t& at, std::span<const BoundView> views,
                         size_t max_rows) {
  if (words.size() - at < 4) throw ProgramError("code ends inside an instruction");
  operation_ = find_operation(words[at]);
  if (operation_ == nullptr) throw ProgramError("no operation has the number " + std::to_string(words[at]));
  const Operands& operands = operation_->operands;
  const auto in_range = [](int32_t value) { return value >= 0 && value <= 1 << 24; };
  if (!in_range(words[at + 1]) || !in_range(words[at + 2]) || !in_range(words[at + 3]))
    refuse(*operation_, "bad counts");
  const auto view_count = static_cast<size_t>(words[at + 1]);
  const auto int_count = static_cast<size_t>(words[at + 2]);
  const auto double_count = static_cast<size_t>(words[at + 3]);
  at += 4;
  if (words.size() - at < view_count + int_count + 2 * double_count) refuse(*operation_, "code ends inside it");

  if (const char* wrong = operands.refusal(view_count, int_count, double_count)) refuse(*operation_, wrong);
  const std::span<const int32_t> indices = words.subspan(at, view_count);
  at += view_count;
  indices_.assign(indices.begin(), indices.end());
  views_.reserve(view_count);
  for (size_t i = 0; i < view_count; ++i) {
    const int32_t index = indices[i];
    if (index == -1 && operands.optional[i]) {
      views_.push_back(nullptr);
      continue;
    }
    if (index < 0 || static_cast<size_t>(index) >= views.size()) refuse(*operation_, "no such view");
    views_.push_back(views[static_cast<size_t>(index)].data);
  }

  written_.reserve(int_count);
  for (size_t i = 0; i < int_count; ++i) written_.push_back(words[at + i]);
  ints_ = written_;
  dimensions_ = operands.dimensions;
  at += int_count;

  doubles_.reserve(double_count);
  for (size_t i = 0; i < double_count; ++i) {
    double value = 0;
    std::memcpy(&value, &words[at + 2 * i], sizeof value);
    doubles_.push_back(value);
  }
  at += 2 * double_count;

  resolve(max_rows);
  verify(views, indices);
}

void Instruction::resolve(size_t rows) {
  for (size_t i = 0; i < dimensions_; ++i) {
    ints_[i] = written_[i] < 0 ? -written_[i] * static_cast<int64_t>(rows) : written_[i];
  }
}

void Instruction::rebind(std::span<const BoundView> views) {
  for (size_t i = 0; i < views_.size(); ++i) {
    if (indices_[i] >= 0) views_[i] = views[static_cast<size_t>(indices_[i])].data;
  }
}

size_t Instruction::scratch_bytes(const KernelTable& kernels) const {
  return operation_->scratch == nullptr ? 0 : operation_->scratch(arguments(), kernels);
}

void Instruction::verify(std::span<const BoundView> views, std::span<const int32_t> indices) const {
  Requirements requirements;
  operation_->check(arguments(), requirements);
  if (!requirements.error.empty()) refuse(*operation_, requirements.error);

  const Operands& operands = operation_->operands;
  struct Range {
    const std::byte* begin;
    const std::byte* end;
    bool written;
    bool in_place;  // may be exactly a view that is only read
  };
  Range ranges[kMaxViews];
  size_t count = 0;
  bool first = true;
  const bool gathers = operation_ == &op_gather;
  for (size_t i = 0; i < operands.view_count; ++i) {
    if (views_[i] == nullptr && indices[i] == -1) continue;
    const BoundView& view = views[static_cast<size_t>(indices[i])];
    const auto refuse_view = [&](const std::string& what) { refuse(*operation_, "view " + std::to_string(i) + what); };
    const bool written = writes(operands.kinds[i]);
    if (!dtype_fits(operands.kinds[i], view.dtype)) refuse_view(" has another dtype");
    if (gathers && i != GatherAt::order) {  // the source is as the integer says, u8 becomes f32
      const auto source = static_cast<Dtype>(ints_[GatherAt::dtype]);
      const Dtype expected = i == GatherAt::source ? source : source == Dtype::i32 ? Dtype::i32 : Dtype::f32;
      if (view.dtype != expected) refuse_view(" has another dtype");
    }
    if (!gathers && (operands.kinds[i] == 'x' || operands.kinds[i] == 'X')) {  // four bytes each, copied as they are
      const Dtype source = views[static_cast<size_t>(indices[0])].dtype;
      if (view.dtype == Dtype::u8 || view.dtype != source) refuse_view(" has another dtype");
    }
    if (requirements.counts[i] > view.count) {
      refuse_view(" has " + std::to_string(view.count) + " elements, " + std::to_string(requirements.counts[i]) +
                  " are needed");
    }
    if (written && !view.writable) refuse_view(" may not be written");
    ranges[count++] = {view.data, view.data + requirements.counts[i] * bytes_of(view.dtype), written,
                       written && first && operation_->in_place};
    if (written) first = false;
  }
  for (size_t i = 0; i < count; ++i) {
    for (size_t j = 0; j < count; ++j) {
      if (i == j || !ranges[i].written) continue;
      const bool apart = ranges[i].end <= ranges[j].begin || ranges[j].end <= ranges[i].begin;
      const bool same = ranges[i].in_place && !ranges[j].written && ranges[i].begin == ranges[j].begin &&
                        ranges[i].end == ranges[j].end;
      if (!apart && !same) refuse(*operation_, "a written view overlaps another");
    }
  }
}

}  // namespace carillon
