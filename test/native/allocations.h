// How often the test program has called operator new; stays 0 under a sanitizer, which has an allocator of its own.
#pragma once

#include <cstddef>

namespace carillon::test {

size_t allocations();

}  // namespace carillon::test
