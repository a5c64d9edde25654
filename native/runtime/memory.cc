#include "memory.h"

#include <cstdlib>
#include <memory>
#include <new>
#include <utility>

namespace carillon {

MemoryCount& memory_count() {
  static MemoryCount count;
  return count;
}

void AlignedBuffer::Free::operator()(void* memory) const { std::free(memory); }

AlignedBuffer::AlignedBuffer(size_t bytes) : bytes_(bytes) {
  if (bytes == 0) return;
  size_t space = bytes + kAlignment;
  if (space > bytes) memory_.reset(std::calloc(space, 1));
  void* begin = memory_.get();
  if (begin == nullptr || std::align(kAlignment, bytes, begin, space) == nullptr) throw std::bad_alloc();
  data_ = static_cast<std::byte*>(begin);
  memory_count().bytes += static_cast<int64_t>(bytes);
  memory_count().buffers += 1;
  memory_count().allocations += 1;
}

AlignedBuffer::~AlignedBuffer() {
  if (data_ == nullptr) return;
  memory_count().bytes -= static_cast<int64_t>(bytes_);
  memory_count().buffers -= 1;
}

AlignedBuffer::AlignedBuffer(AlignedBuffer&& other) noexcept
    : memory_(std::move(other.memory_)),
      data_(std::exchange(other.data_, nullptr)),
      bytes_(std::exchange(other.bytes_, 0)) {}

AlignedBuffer& AlignedBuffer::operator=(AlignedBuffer&& other) noexcept {
  std::swap(memory_, other.memory_);
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

}  // namespace carillon
