// Windows of images at places that are drawn an example, and turned over: what images are augmented by.
#include <algorithm>
#include <cstring>

#include "operation.h"
#include "philox.h"
#include "windows.h"

namespace carillon {
namespace {

// x: [images, height, width, channels], y: [images, out_height, out_width, channels]. The window of an image begins at
// row `top` + one of `tops` places and at column `left` + one of `lefts`; `flip_columns`, `flip_rows`: what may be
// turned over, each with probability ½. What lies outside of the image is `fill`. `back`: x and y change roles: x is
// what flows back to windows, and y, of the larger size, has it at their places and 0 elsewhere. `example_images`:
// images an example (0: not an array of the batch).
struct AugmentAt {
  static constexpr Operands all{"x:f y:F",
                                "images:d height:i width:i channels:i out_height:i out_width:i top:i left:i tops:i "
                                "lefts:i flip_columns:b flip_rows:b back:b? site:i example_images:i",
                                "fill?0"};
  static constexpr size_t x = all.view("x"), y = all.view("y");
  static constexpr size_t images = all.integer("images"), height = all.integer("height"), width = all.integer("width"),
                          channels = all.integer("channels"), out_height = all.integer("out_height"),
                          out_width = all.integer("out_width"), top = all.integer("top"), left = all.integer("left"),
                          tops = all.integer("tops"), lefts = all.integer("lefts"),
                          flip_columns = all.integer("flip_columns"), flip_rows = all.integer("flip_rows"),
                          back = all.integer("back"), site = all.integer("site"),
                          example_images = all.integer("example_images");
  static constexpr size_t fill = all.number("fill");
};

void check_augment(const Arguments& a, Requirements& r) {
  for (const size_t at : {AugmentAt::height, AugmentAt::width, AugmentAt::channels, AugmentAt::out_height,
                          AugmentAt::out_width, AugmentAt::tops, AugmentAt::lefts}) {
    if (a.ints[at] < 1) return r.fail("a window of nothing");
  }
  if (a.ints[AugmentAt::site] < 0) r.fail("negative site");
  if (a.ints[AugmentAt::example_images] < 0) r.fail("a negative size");
  const size_t channels = a.size(AugmentAt::channels);
  const size_t large = bounded({a.size(AugmentAt::height), a.size(AugmentAt::width), channels}, r);
  const size_t small = bounded({a.size(AugmentAt::out_height), a.size(AugmentAt::out_width), channels}, r);
  if (!r.error.empty()) return;
  const bool back = a.ints[AugmentAt::back] != 0;
  r.need(AugmentAt::x, a.size(AugmentAt::images), back ? small : large);
  r.need(AugmentAt::y, a.size(AugmentAt::images), back ? large : small);
}

// Places of an axis that are written, and those that they are read from: place i from `start` + i, or `start` − i.
struct Walk {
  int64_t start;
  bool turned;
  size_t begin, end;  // of what is written: the others have no place to be read from

  Walk(int64_t first, size_t window, bool turned_over, bool back, size_t written, size_t read) : turned(turned_over) {
    start = turned ? first + static_cast<int64_t>(window) - 1 : (back ? -first : first);
    const auto most = static_cast<int64_t>(written), held = static_cast<int64_t>(read);
    const int64_t low = turned ? start - held + 1 : -start;
    const int64_t high = turned ? start + 1 : held - start;
    begin = static_cast<size_t>(std::clamp<int64_t>(low, 0, most));
    end = static_cast<size_t>(std::clamp<int64_t>(high, static_cast<int64_t>(begin), most));
  }
  size_t from(size_t place) const {
    const auto at = static_cast<int64_t>(place);
    return static_cast<size_t>(turned ? start - at : start + at);
  }
};

// y: pixels [columns.begin, columns.end) of a row of x.
void copy_pixels(const float* x, const Walk& columns, size_t channels, float* y) {
  float* to = y + columns.begin * channels;
  const size_t count = columns.end - columns.begin;
  if (count == 0) return;
  const float* from = x + columns.from(columns.begin) * channels;
  if (!columns.turned) {
    std::memcpy(to, from, count * channels * sizeof(float));
    return;
  }
  for (size_t pixel = 0; pixel < count; ++pixel, to += channels, from -= channels) {
    for (size_t channel = 0; channel < channels; ++channel) to[channel] = from[channel];
  }
}

// One of `count` places by a word of 32 bits: floor(word·count/2³²), each with its probability but for less than 2⁻³².
int64_t one_of(uint32_t word, size_t count) { return static_cast<int64_t>((uint64_t{word} * count) >> 32); }

// Words of image i of the optimizer batch: Philox of (i, step, site, Purpose::augment). The first says what is turned
// over, by its two highest bits, the next ones say row and column.
void run_augment(const Context& context, const Arguments& a) {
  const bool back = a.ints[AugmentAt::back] != 0;
  const size_t channels = a.size(AugmentAt::channels);
  const size_t window_height = a.size(AugmentAt::out_height), window_width = a.size(AugmentAt::out_width);
  size_t in_height = a.size(AugmentAt::height), in_width = a.size(AugmentAt::width);
  size_t out_height = window_height, out_width = window_width;
  if (back) {
    std::swap(in_height, out_height);
    std::swap(in_width, out_width);
  }
  const auto site = static_cast<uint32_t>(a.ints[AugmentAt::site]);
  const uint32_t flip_columns = a.ints[AugmentAt::flip_columns] != 0 ? 1 : 0;
  const uint32_t flip_rows = a.ints[AugmentAt::flip_rows] != 0 ? 1 : 0;
  const uint64_t first = uint64_t{context.registers.batch_offset} * a.size(AugmentAt::example_images);
  const float fill = back ? 0.0F : static_cast<float>(a.doubles[AugmentAt::fill]);
  const auto* x = a.view<const float>(AugmentAt::x);
  auto* y = a.view<float>(AugmentAt::y);
  over_rows(context, a.size(AugmentAt::images), out_height * out_width * channels, [&](size_t begin, size_t end) {
    for (size_t image = begin; image < end; ++image) {
      const PhiloxBlock words = philox(
          {static_cast<uint32_t>(first + image), context.registers.step, site, static_cast<uint32_t>(Purpose::augment)},
          context.registers.seed);
      const int64_t top = a.ints[AugmentAt::top] + one_of(words[1], a.size(AugmentAt::tops));
      const int64_t left = a.ints[AugmentAt::left] + one_of(words[2], a.size(AugmentAt::lefts));
      const Walk rows(top, window_height, (flip_rows & (words[0] >> 30)) != 0, back, out_height, in_height);
      const Walk columns(left, window_width, (flip_columns & (words[0] >> 31)) != 0, back, out_width, in_width);
      const float* from = x + image * in_height * in_width * channels;
      float* to = y + image * out_height * out_width * channels;
      for (size_t row = 0; row < out_height; ++row, to += out_width * channels) {
        const bool held = row >= rows.begin && row < rows.end;
        std::fill(to, to + (held ? columns.begin : out_width) * channels, fill);
        if (!held) continue;
        copy_pixels(from + rows.from(row) * in_width * channels, columns, channels, to);
        std::fill(to + columns.end * channels, to + out_width * channels, fill);
      }
    }
  });
}

}  // namespace

constinit const Operation op_augment{"augment", AugmentAt::all, false, check_augment, nullptr, run_augment};

}  // namespace carillon
