// Native memory that programs touch: aligned to a cache line, zeroed, counted.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace carillon {

inline constexpr size_t kAlignment = 64;

// What the process holds in AlignedBuffers; `allocations` only grows.
struct MemoryCount {
  std::atomic<int64_t> bytes{0};
  std::atomic<int64_t> buffers{0};
  std::atomic<int64_t> allocations{0};
};
MemoryCount& memory_count();

// Owns `bytes` bytes, zeroed, aligned to 64 bytes. Throws std::bad_alloc. Buffers of 128 KB and more are pages of the
// system's: untouched ones cost time when they are first written, and not here (200 MB zeroed at once hold a thread for
// 80 ms), and they go back to it at once, where a heap keeps what lies below its top.
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(size_t bytes);
  ~AlignedBuffer();
  AlignedBuffer(AlignedBuffer&& other) noexcept;
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept;
  AlignedBuffer(const AlignedBuffer&) = delete;
  AlignedBuffer& operator=(const AlignedBuffer&) = delete;

  // At least `bytes` bytes: new ones where there are fewer, and what was in them is gone.
  std::byte* with_room_for(size_t bytes) {
    if (bytes_ < bytes) *this = AlignedBuffer(bytes);
    return data_;
  }

  std::byte* data() const { return data_; }
  size_t bytes() const { return bytes_; }

 private:
  struct Free {
    size_t mapped;  // bytes of pages; 0: from the heap
    void operator()(void* memory) const;
  };

  std::unique_ptr<void, Free> memory_;
  std::byte* data_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace carillon
