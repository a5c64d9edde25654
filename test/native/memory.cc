// Buffers of a heap and of pages: zeroed, aligned, counted, and given back.
#include "runtime/memory.h"

#include <cstdint>
#include <cstring>
#include <new>
#include <utility>

#include "check.h"

namespace carillon::test {

TEST(buffers_of_every_size_are_zeroed_aligned_and_counted) {
  const int64_t bytes = memory_count().bytes;
  const int64_t buffers = memory_count().buffers;
  constexpr size_t kKilobyte = 1024;
  for (const size_t size : {size_t{1}, size_t{64}, 127 * kKilobyte, 128 * kKilobyte - 64, 128 * kKilobyte,
                            1025 * kKilobyte, 4096 * kKilobyte - 1, 4096 * kKilobyte, 9000 * kKilobyte + 3}) {
    const AlignedBuffer buffer(size);
    CHECK_AT(buffer.bytes() == size, "%zu", size);
    CHECK_AT(reinterpret_cast<uintptr_t>(buffer.data()) % kAlignment == 0, "%zu", size);
    CHECK_AT(memory_count().bytes == bytes + static_cast<int64_t>(size), "%zu", size);
    CHECK_AT(memory_count().buffers == buffers + 1, "%zu", size);
    size_t other = 0;
    for (size_t i = 0; i < size; ++i) other += buffer.data()[i] != std::byte{0} ? 1 : 0;
    CHECK_AT(other == 0, "%zu: %zu bytes are not zero", size, other);
    std::memset(buffer.data(), 0x5a, size);  // so that what comes back must be zeroed again
  }
  CHECK(memory_count().bytes == bytes);
  CHECK(memory_count().buffers == buffers);
}

TEST(a_buffer_moves_between_heap_and_pages) {
  const int64_t bytes = memory_count().bytes;
  {
    AlignedBuffer small(100);
    AlignedBuffer large(size_t{1} << 20);
    std::byte* const data = large.data();
    small = std::move(large);
    CHECK(small.data() == data);
    CHECK(small.bytes() == size_t{1} << 20);
    const AlignedBuffer moved(std::move(small));
    CHECK(moved.data() == data);
  }
  CHECK(memory_count().bytes == bytes);
}

TEST(room_grows_and_stays) {
  AlignedBuffer buffer;
  std::byte* const first = buffer.with_room_for(1000);
  CHECK(first != nullptr);
  CHECK(buffer.with_room_for(10) == first);
  CHECK(buffer.with_room_for(size_t{1} << 20) != nullptr);
  CHECK(buffer.bytes() == size_t{1} << 20);
}

TEST(sizes_beyond_the_address_space_throw) {
  for (const size_t size : {SIZE_MAX, SIZE_MAX - 64}) {
    bool thrown = false;
    try {
      const AlignedBuffer buffer(size);
    } catch (const std::bad_alloc&) {
      thrown = true;
    }
    CHECK_AT(thrown, "%zu", size);
  }
}

}  // namespace carillon::test
