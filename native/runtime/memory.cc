#include "memory.h"

#ifdef _WIN32
#define WIN32_LEAN_AND_MEAN
#define NOMINMAX
#include <windows.h>
#else
#include <sys/mman.h>
#endif

#include <cstdlib>
#include <memory>
#include <new>
#include <utility>

namespace carillon {

namespace {

// Large pages (Linux) spare most misses of the address translation; worth asking for from two of them on.
constexpr size_t kLargePage = size_t{2} << 20;

// What the C library's heaps leave to pages of their own at first; they raise it with every such block that is freed,
// up to 32 MB, so that what a model held would stay with a heap.
constexpr size_t kLeastMapped = size_t{128} << 10;

size_t alignment_of(size_t bytes) { return bytes >= 2 * kLargePage ? kLargePage : kAlignment; }

void prefer_large_pages([[maybe_unused]] void* data, [[maybe_unused]] size_t bytes) {
#ifdef __linux__
  if (bytes >= 2 * kLargePage) madvise(data, bytes / kLargePage * kLargePage, MADV_HUGEPAGE);
#endif
}

// Zeroed pages, or nullptr.
void* map_pages(size_t bytes) {
#ifdef _WIN32
  return VirtualAlloc(nullptr, bytes, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
#else
  void* const pages = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return pages == MAP_FAILED ? nullptr : pages;
#endif
}

void unmap_pages(void* pages, [[maybe_unused]] size_t bytes) {
#ifdef _WIN32
  VirtualFree(pages, 0, MEM_RELEASE);
#else
  munmap(pages, bytes);
#endif
}

}  // namespace

MemoryCount& memory_count() {
  static MemoryCount count;
  return count;
}

void AlignedBuffer::Free::operator()(void* memory) const {
  if (mapped != 0) {
    unmap_pages(memory, mapped);
  } else {
    std::free(memory);
  }
}

AlignedBuffer::AlignedBuffer(size_t bytes) : bytes_(bytes) {
  if (bytes == 0) return;
  const size_t alignment = alignment_of(bytes);
  size_t space = bytes + alignment;
  if (space < bytes) throw std::bad_alloc();
  if (space >= kLeastMapped) memory_ = {map_pages(space), Free{space}};
  if (memory_ == nullptr) memory_ = {std::calloc(space, 1), Free{}};
  void* begin = memory_.get();
  if (begin == nullptr || std::align(alignment, bytes, begin, space) == nullptr) throw std::bad_alloc();
  prefer_large_pages(begin, bytes);
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
