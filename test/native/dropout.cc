// Philox against the vectors of its authors; dropout against its definition written out element by element.
#include "isa/tables.h"
#include "samples.h"

namespace carillon::test {
namespace {
#include "simd/scalar.h"
// The generator over the scalar vectors.
#include "kernels/philox-inl.h"

struct Block {
  uint32_t word[4];
};

// Philox4x32-10 from the paper's description.
Block reference_philox(Block counter, uint32_t key0, uint32_t key1) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{0xd2511f53u} * counter.word[0];
    const uint64_t p1 = uint64_t{0xcd9e8d57u} * counter.word[2];
    counter = {{static_cast<uint32_t>(p1 >> 32) ^ counter.word[1] ^ key0, static_cast<uint32_t>(p1),
                static_cast<uint32_t>(p0 >> 32) ^ counter.word[3] ^ key1, static_cast<uint32_t>(p0)}};
    key0 += 0x9e3779b9u;
    key1 += 0xbb67ae85u;
  }
  return counter;
}

// The definition in dropout-inl.h for one element.
bool reference_keep(uint64_t element, const DropoutArguments& d) {
  const uint32_t low = static_cast<uint32_t>(d.seed), high = static_cast<uint32_t>(d.seed >> 32);
  const uint64_t place = element % 256;
  const uint64_t index = element / 256 * 16 + place % 16;
  const Block block = reference_philox(
      {{static_cast<uint32_t>(index), d.step, d.site, 1u | static_cast<uint32_t>(index >> 32) << 8}}, low, high);
  const uint32_t top = block.word[place / 64] >> 8 * (place / 16 % 4) & 0xff;
  const Block tie = reference_philox(
      {{static_cast<uint32_t>(element), d.step, d.site, 2u | static_cast<uint32_t>(element >> 32) << 8}}, low, high);
  const uint64_t uniform = uint64_t{top} << 24 | tie.word[0] >> 8;
  return uniform < d.threshold;
}

}  // namespace

// Random123's known-answer vectors for philox4x32-10.
TEST(philox_known_answers) {
  struct Answer {
    uint32_t counter[4];
    uint64_t key;
    uint32_t output[4];
  };
  const Answer answers[] = {
      {{0, 0, 0, 0}, 0, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
      {{~0u, ~0u, ~0u, ~0u}, ~uint64_t{0}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
      {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
       0x299f31d0a4093822,
       {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
  };
  for (const Answer& answer : answers) {
    uint32_t word[4];
    U lanes[4];
    Block plain;
    for (size_t i = 0; i < 4; ++i) {
      word[i] = plain.word[i] = answer.counter[i];
      lanes[i] = splat_u(answer.counter[i]);
    }
    philox(word, answer.key);
    philox(lanes, answer.key);
    plain = reference_philox(plain, static_cast<uint32_t>(answer.key), static_cast<uint32_t>(answer.key >> 32));
    for (size_t i = 0; i < 4; ++i) {
      CHECK(word[i] == answer.output[i]);
      CHECK(lanes[i].v == answer.output[i]);
      CHECK(plain.word[i] == answer.output[i]);
    }
  }
}

TEST(dropout_follows_its_definition) {
  Random random{30};
  const uint64_t thresholds[] = {0,          1,          0x00ffffff, 0x01000000, 0x80000000,
                                 0xcccccccd, 0xe6666666, 0xffffffff, 0x100000000};
  const uint64_t firsts[] = {0, 1, 15, 16, 200, 255, 256, 1000003, 0xffffffff00, 0x1234567890123};
  for (const KernelTable* table : supported_tables()) {
    for (uint64_t threshold : thresholds) {
      for (uint64_t first : firsts) {
        const size_t count = random.below(900);
        const float shift = random.below(2) == 0 ? 0.0f : 0.75f;
        const float dropped = random.below(2) == 0 ? 0.0f : -1.5f;
        const DropoutArguments arguments{random.next(),
                                         static_cast<uint32_t>(random.next()),
                                         static_cast<uint32_t>(random.next()),
                                         threshold,
                                         1.25f,
                                         shift,
                                         dropped};
        Guarded x(count, random.below(4)), y(count, random.below(4));
        for (size_t i = 0; i < count; ++i) x[i] = random.below(9) == 0 ? -0.0f : random.uniform();
        table->dropout_f32(x.data(), y.data(), count, first, arguments);
        for (size_t i = 0; i < count; ++i) {
          const float kept = shift == 0 ? x[i] * 1.25f : std::fma(x[i], 1.25f, shift);
          const float expected = reference_keep(first + i, arguments) ? kept : dropped;
          CHECK_AT(same(y[i], expected), "element %zu of %zu from %llu on %s", i, count,
                   static_cast<unsigned long long>(first), table->name);
        }
        CHECK(y.intact());
        table->dropout_f32(x.data(), x.data(), count, first, arguments);
        for (size_t i = 0; i < count; ++i) CHECK(same(x[i], y[i]));
      }
    }
  }
}

// The bits alone, from any multiple of 16 on; nothing behind the last word is written.
TEST(dropout_mask_bits_follow_the_definition) {
  Random random{31};
  const uint64_t thresholds[] = {0, 0x00ffffff, 0x80000000, 0xcccccccd, 0xffffffff, 0x100000000};
  const uint64_t firsts[] = {0, 16, 240, 256, 1000000, 0xffffffff00 - 256, 0x1234567890120};
  for (const KernelTable* table : supported_tables()) {
    for (uint64_t threshold : thresholds) {
      for (uint64_t first : firsts) {
        const size_t count = random.below(1500);
        const DropoutArguments arguments{random.next(),
                                         static_cast<uint32_t>(random.next()),
                                         static_cast<uint32_t>(random.next()),
                                         threshold,
                                         0,
                                         0,
                                         0};
        const size_t words = (count + 15) / 16;
        std::vector<uint16_t> bits(words + 1, 0xa5a5);
        table->dropout_mask_bits(bits.data(), count, first, arguments);
        for (size_t i = 0; i < words * 16; ++i) {
          const bool expected = i < count && reference_keep(first + i, arguments);
          CHECK_AT((bits[i / 16] >> i % 16 & 1) == (expected ? 1 : 0), "element %zu of %zu from %llu on %s", i, count,
                   static_cast<unsigned long long>(first), table->name);
        }
        CHECK(bits[words] == 0xa5a5);
      }
    }
  }
}

// A range that crosses the places where 32 bits of the element's and of the block's index carry, in one call and in
// runs of whole superblocks: every byte ties in 1 of 256.
TEST(dropout_carries_into_the_high_words) {
  for (const KernelTable* table : supported_tables()) {
    for (uint64_t first : {(uint64_t{1} << 32) - 1024, (uint64_t{1} << 36) - 1024, (uint64_t{3} << 36) - 768}) {
      constexpr size_t count = 2560;
      std::vector<float> x(count, 1.0f), y(count);
      const DropoutArguments arguments{77, 5, 6, 0x80800000u, 1.0f, 0.0f, 0.0f};
      table->dropout_f32(x.data(), y.data(), count, first, arguments);
      for (size_t i = 0; i < count; ++i) {
        CHECK_AT(same(y[i], reference_keep(first + i, arguments) ? 1.0f : 0.0f), "element %zu on %s", i, table->name);
      }
    }
  }
}

// A NaN is dropped like any other element and kept as NaN.
TEST(dropout_drops_nan) {
  float x[256], y[256];
  for (float& value : x) value = std::numeric_limits<float>::quiet_NaN();
  const DropoutArguments arguments{1, 2, 3, 0x80000000u, 2.0f, 0.0f, 0.0f};
  for (const KernelTable* table : supported_tables()) {
    table->dropout_f32(x, y, 256, 0, arguments);
    for (size_t i = 0; i < 256; ++i) CHECK(reference_keep(i, arguments) ? std::isnan(y[i]) : same(y[i], 0.0f));
  }
}

// The number kept is binomial: within 5 standard deviations (one false alarm in 1.7 million; the draws are fixed
// anyway).
TEST(dropout_keeps_its_share) {
  const size_t count = 4000000 / slowness();
  std::vector<float> x(count, 1.0f), y(count);
  for (double probability : {0.5, 0.8, 0.9, 0.999}) {
    const DropoutArguments arguments{42, 7, 1, static_cast<uint64_t>(probability * 4294967296.0), 1.0f, 0.0f, 0.0f};
    default_table()->dropout_f32(x.data(), y.data(), count, 0, arguments);
    double kept = 0;
    for (float value : y) kept += static_cast<double>(value);
    const double n = static_cast<double>(count);
    CHECK(std::fabs(kept - n * probability) <= 5 * std::sqrt(n * probability * (1 - probability)));
  }
}

}  // namespace carillon::test
