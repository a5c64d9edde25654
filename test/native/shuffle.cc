// The words that the order of an epoch is drawn from, against one block of the generator after another.
#include <vector>

#include "ops/philox.h"
#include "samples.h"

namespace carillon::test {
namespace {

constexpr uint32_t kUntouched = 0xA5A5A5A5u;

}  // namespace

TEST(shuffle_words_are_those_of_the_generator) {
  Random random{91};
  for (const KernelTable* table : supported_tables()) {
    for (size_t count = 0; count <= 200; ++count) {
      const uint64_t seed = random.next();
      const auto epoch = static_cast<uint32_t>(random.next());
      const uint32_t first = count % 3 == 0 ? 2 : static_cast<uint32_t>(random.next());
      std::vector<uint32_t> words(count + 64, kUntouched);
      table->shuffle_words(words.data(), count, first, seed, epoch);
      for (size_t i = 0; i < count; ++i) {
        const PhiloxBlock block =
            philox({first + static_cast<uint32_t>(i), epoch, 0, static_cast<uint32_t>(Purpose::shuffle)}, seed);
        CHECK_AT(words[i] == block[0], "word %zu of %zu", i, count);
      }
      for (size_t i = count; i < words.size(); ++i) CHECK_AT(words[i] == kUntouched, "word behind %zu", count);
    }
  }
}

}  // namespace carillon::test
