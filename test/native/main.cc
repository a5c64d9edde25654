// Runs every registered case, or those whose name contains the first argument.
#include <chrono>
#include <cstring>

#include "check.h"
#include "dispatch/dispatch.h"

namespace carillon::test {
namespace {

Case* first_case = nullptr;
size_t failures = 0;
constexpr size_t kPrinted = 8;

}  // namespace

Case::Case(const char* name_, void (*run_)()) noexcept : name(name_), run(run_), next(nullptr) {
  Case** end = &first_case;
  while (*end != nullptr) end = &(*end)->next;
  *end = this;
}

void fail(const char* file, int line, const char* what) {
  if (++failures <= kPrinted) std::printf("  %s:%d: %s\n", file, line, what);
}

size_t slowness() {
  static const size_t value = [] {
    const char* text = std::getenv("CARILLON_TEST_SLOW");
    const long number = text == nullptr ? 1 : std::strtol(text, nullptr, 10);
    return number < 1 ? size_t{1} : static_cast<size_t>(number);
  }();
  return value;
}

bool full_sweep() { return std::getenv("CARILLON_TEST_FULL") != nullptr; }

}  // namespace carillon::test

int main(int count, char** arguments) {
  using namespace carillon::test;
  std::printf("tables:");
  for (const carillon::KernelTable* table : carillon::supported_tables()) std::printf(" %s", table->name);
  std::printf("\n");
  size_t passed = 0, failed = 0;
  for (const Case* test = first_case; test != nullptr; test = test->next) {
    if (count > 1 && std::strstr(test->name, arguments[1]) == nullptr) continue;
    failures = 0;
    const auto start = std::chrono::steady_clock::now();
    test->run();
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
    std::printf("%s %s (%.2f s)\n", failures == 0 ? "ok  " : "FAIL", test->name, time.count());
    if (failures > kPrinted) std::printf("  and %zu more\n", failures - kPrinted);
    std::fflush(stdout);
    ++(failures == 0 ? passed : failed);
  }
  std::printf("%zu passed, %zu failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}
