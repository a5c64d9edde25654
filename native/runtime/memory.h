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

// Owns `bytes` bytes, zeroed, aligned to 64 bytes. Throws std::bad_alloc. Large buffers come as untouched zero pages of
// the system, which cost time when they are first written, and not here: 200 MB zeroed at once hold a thread for 80 ms.
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(size_t bytes);
  ~AlignedBuffer();
  AlignedBuffer(AlignedBuffer&& other) noexcept;
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept;
  AlignedBuffer(const AlignedBuffer&) = delete;
  AlignedBuffer& operator=(const AlignedBuffer&) = delete;

  std::byte* data() const { return data_; }
  size_t bytes() const { return bytes_; }

 private:
  struct Free {
    void operator()(void* memory) const;
  };

  std::unique_ptr<void, Free> memory_;
  std::byte* data_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace carillon
