#include "memory.h"

#ifdef __linux__
#include <sys/mman.h>
#endif

#include <cstring>
#include <new>
#include <utility>

namespace carillon {

namespace {

// Large pages (Linux) spare most misses of the address translation; worth asking for from two of them on.
constexpr size_t kLargePage = size_t{2} << 20;

size_t alignment_of(size_t bytes) { return bytes >= 2 * kLargePage ? kLargePage : kAlignment; }

void prefer_large_pages([[maybe_unused]] void* data, [[maybe_unused]] size_t bytes) {
#ifdef __linux__
  if (bytes >= 2 * kLargePage) madvise(data, bytes / kLargePage * kLargePage, MADV_HUGEPAGE);
#endif
}

}  // namespace

MemoryCount& memory_count() {
  static MemoryCount count;
  return count;
}

AlignedBuffer::AlignedBuffer(size_t bytes) : bytes_(bytes) {
  if (bytes == 0) return;
  data_ = static_cast<std::byte*>(::operator new(bytes, std::align_val_t{alignment_of(bytes)}));
  prefer_large_pages(data_, bytes);
  std::memset(data_, 0, bytes);
  memory_count().bytes += static_cast<int64_t>(bytes);
  memory_count().buffers += 1;
  memory_count().allocations += 1;
}

AlignedBuffer::~AlignedBuffer() {
  if (data_ == nullptr) return;
  ::operator delete(data_, std::align_val_t{alignment_of(bytes_)});
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
