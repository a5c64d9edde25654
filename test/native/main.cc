// Runs every registered case, or those whose name contains the first argument; with CARILLON_TEST_SHARE=i/n every n-th
// of them, from i on, counted from 0.
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

namespace {

// Which of so many processes this is.
struct Share {
  size_t own = 0, of = 1;
};

Share share() {
  const char* text = std::getenv("CARILLON_TEST_SHARE");
  Share found;
  if (text == nullptr) return found;
  char* end = nullptr;
  const long own = std::strtol(text, &end, 10);
  const long of = *end == '/' ? std::strtol(end + 1, nullptr, 10) : 0;
  if (own < 0 || own >= of) {
    std::printf("CARILLON_TEST_SHARE: expected i/n with i < n but received '%s'\n", text);
    std::exit(1);
  }
  return {static_cast<size_t>(own), static_cast<size_t>(of)};
}

}  // namespace

bool full_sweep() { return std::getenv("CARILLON_TEST_FULL") != nullptr; }

}  // namespace carillon::test

int main(int count, char** arguments) {
  using namespace carillon::test;
  std::printf("tables:");
  for (const carillon::KernelTable* table : carillon::supported_tables()) std::printf(" %s", table->name);
  std::printf("\n");
  size_t passed = 0, failed = 0, place = 0;
  const auto [own, of] = share();
  for (const Case* test = first_case; test != nullptr; test = test->next) {
    if (count > 1 && std::strstr(test->name, arguments[1]) == nullptr) continue;
    if (place++ % of != own) continue;
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
