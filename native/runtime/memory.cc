#include "memory.h"

#include <cstring>
#include <new>
#include <utility>

namespace carillon {

MemoryCount& memory_count() {
  static MemoryCount count;
  return count;
}

AlignedBuffer::AlignedBuffer(size_t bytes) : bytes_(bytes) {
  if (bytes == 0) return;
  data_ = static_cast<std::byte*>(::operator new(bytes, std::align_val_t{kAlignment}));
  std::memset(data_, 0, bytes);
  memory_count().bytes += static_cast<int64_t>(bytes);
  memory_count().buffers += 1;
  memory_count().allocations += 1;
}

AlignedBuffer::~AlignedBuffer() {
  if (data_ == nullptr) return;
  ::operator delete(data_, std::align_val_t{kAlignment});
  memory_count().bytes -= static_cast<int64_t>(bytes_);
  memory_count().buffers -= 1;
}

AlignedBuffer::AlignedBuffer(AlignedBuffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

AlignedBuffer& AlignedBuffer::operator=(AlignedBuffer&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

}  // namespace carillon
