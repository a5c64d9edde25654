// A small test harness: TEST registers a case, CHECK fails it, main runs them all.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace carillon::test {

struct Case {
  const char* name;
  void (*run)();
  Case* next;
  Case(const char* name_, void (*run_)()) noexcept;
};

// Counts a failed check of the running case; prints the first few.
void fail(const char* file, int line, const char* what);

// 1 by default; larger where the machine is slow (qemu, sanitizers). Sample counts are divided by it.
size_t slowness();

// Whether sweeps run over every float instead of a stride (environment CARILLON_TEST_FULL).
bool full_sweep();

}  // namespace carillon::test

#define TEST(name)                                               \
  static void name();                                            \
  static const carillon::test::Case case_of_##name(#name, name); \
  static void name()

#define CHECK(condition)                                                    \
  do {                                                                      \
    if (!(condition)) carillon::test::fail(__FILE__, __LINE__, #condition); \
  } while (false)

// With a message in printf's form that says where in a sweep it happened.
#define CHECK_AT(condition, ...)                       \
  do {                                                 \
    if (!(condition)) {                                \
      char where[256];                                 \
      std::snprintf(where, sizeof where, __VA_ARGS__); \
      carillon::test::fail(__FILE__, __LINE__, where); \
    }                                                  \
  } while (false)
