// Convolutions and their transposes. The gradients of their weights: convolution_weight.cc.
//
// large: [images, height, width, channels]; small: [images, out_height, out_width, outputs]; w: [outputs,
// kernel_height, kernel_width, channels/groups]. Each is a product whose left side lies in segments of the image, the
// places of a row one step apart; padding is read as +0 from a copy of the image that has it. The order of an element's
// sum:
//   conv             k = (kernel row, kernel column, channel),
//   conv_transposed  k = (row of small, column of small, output), of those that reach the element,
//   conv_weight      k = (image, row of small, column of small),
// each in chunks of kDepthChunk, a chain of fused multiply-adds each, chunks added in order.
#include <numeric>

#include "../runtime/memory.h"
#include "convolution.h"
#include "gemm_run.h"
#include "philox.h"

namespace carillon {
namespace {

struct ConvAt {
  static constexpr Operands all{
      "x:f w:f bias:f? y:F gate:f?",
      "images:d height:i width:i channels:i out_height:i out_width:i outputs:i kernel_height:i kernel_width:i "
      "stride_height:i stride_width:i dilation_height:i dilation_width:i before_height:i before_width:i groups:i "
      "activation:activations? site:i?-1 example_rows:i? backward:gates?",
      "keep?1 keep_scale?1 gate_scale?1"};
  static constexpr size_t x = all.view("x"), w = all.view("w"), bias = all.view("bias"), y = all.view("y"),
                          gate = all.view("gate");
  static constexpr size_t images = all.integer("images"), height = all.integer("height"),
                          activation = all.integer("activation"), site = all.integer("site"),
                          example_rows = all.integer("example_rows"), backward = all.integer("backward");
  static constexpr size_t keep = all.number("keep"), keep_scale = all.number("keep_scale"),
                          gate_scale = all.number("gate_scale");
};
static_assert(ConvAt::images == kConvSizes);

// ---- Products over segments ---------------------------------------------------------------------------------

// A walk of windows over a source image, to places of a target: a convolution, or the places of a transposed one that
// have the same remainder to its strides, which the same taps reach.
struct Walk {
  size_t rows, columns;                // places
  size_t source_rows, source_columns;  // of the source, from one place to the next
  size_t first_row, first_column;      // place 0 in the target
  size_t target_rows, target_columns;  // of the target, from one place to the next
  const ptrdiff_t* segments;
  size_t segment_count;
  size_t segment_length;
  const float* packed;  // panels of a group, one group behind the other

  size_t depth() const { return segment_count * segment_length; }
};

// What all walks of an operation share.
struct Sides {
  size_t source_channels, target_channels, groups;
  size_t target_height, target_width;
  bool depthwise;

  size_t inner() const { return source_channels / groups; }  // a group's
  size_t outer() const { return target_channels / groups; }
};

// Taps of one axis, in the order in which they are added, as places of the source at place 0: first, first + step, ….
struct Taps {
  size_t count = 0;
  ptrdiff_t first = 0;
  size_t step = 0;
  size_t kernel_first = 0;  // the row of the kernel of the first of them
  ptrdiff_t kernel_step = 0;

  // The row of the kernel of a tap.
  size_t kernel(size_t tap) const {
    return static_cast<size_t>(static_cast<ptrdiff_t>(kernel_first) + static_cast<ptrdiff_t>(tap) * kernel_step);
  }
};

// Taps of a convolution.
Taps taps_of(const WindowAxis& axis) {
  return {axis.kernel, -static_cast<ptrdiff_t>(axis.before), axis.dilation, 0, 1};
}

// Those of a transposed one that reach places `phase`, `phase` + stride, … of large, places of small ascending: rows of
// the kernel descending.
Taps transposed_taps(const WindowAxis& axis, size_t phase) {
  const auto stride = static_cast<ptrdiff_t>(axis.stride), dilation = static_cast<ptrdiff_t>(axis.dilation);
  const auto at = static_cast<ptrdiff_t>(phase + axis.before);
  Taps taps;
  const size_t common = std::gcd(axis.stride, axis.dilation);
  taps.step = axis.dilation / common;
  taps.kernel_step = -static_cast<ptrdiff_t>(axis.stride / common);
  for (auto kernel = static_cast<ptrdiff_t>(axis.kernel) - 1; kernel >= 0; --kernel) {
    if ((at - kernel * dilation) % stride != 0) continue;
    if (taps.count++ != 0) continue;
    taps.first = (at - kernel * dilation) / stride;
    taps.kernel_first = static_cast<size_t>(kernel);
  }
  return taps;
}

// Places `phase`, `phase` + stride, … below `large`.
size_t places_of(const WindowAxis& axis, size_t phase) {
  return axis.large > phase ? (axis.large - phase + axis.stride - 1) / axis.stride : 0;
}

// Small as the source of a transposed convolution: its padding is that which any phase wants.
WindowAxis transposed_axis(const WindowAxis& axis) {
  ptrdiff_t lowest = 0, highest = static_cast<ptrdiff_t>(axis.small) - 1;
  for (size_t phase = 0; phase < std::min(axis.stride, axis.large); ++phase) {
    const Taps taps = transposed_taps(axis, phase);
    if (taps.count == 0) continue;
    const auto last = static_cast<ptrdiff_t>((taps.count - 1) * taps.step + places_of(axis, phase) - 1);
    lowest = std::min(lowest, taps.first);
    highest = std::max(highest, taps.first + last);
  }
  WindowAxis source{};
  source.large = axis.small;
  source.before = static_cast<size_t>(-lowest);
  // One window of the whole padded axis.
  source.small = source.stride = source.dilation = 1;
  source.kernel = static_cast<size_t>(highest - lowest + 1);
  return source;
}

struct Reach {
  WindowAxis rows, columns;
  bool padded() const { return rows.padded() || columns.padded(); }
};

Reach reach_of(const ConvGeometry& g, bool transposed) {
  if (!transposed) return {g.rows, g.columns};
  return {transposed_axis(g.rows), transposed_axis(g.columns)};
}

// Whether the taps of a row of the kernel, with all channels, lie side by side in the source.
bool side_by_side(const Taps& columns, size_t groups) { return groups == 1 && columns.step == 1; }

// Copies of bands of the source at most, and floats of all of them unless one takes more.
constexpr size_t kMostRooms = 16;
constexpr size_t kRoomFloats = size_t{4} << 20;

size_t room_floats(const Reach& reach, size_t channels) {
  return reach.padded() ? round_up(reach.rows.padded_size() * reach.columns.padded_size() * channels, 16) : 0;
}

// Bands of rows of an image that are computed apart, so that a few images keep several threads busy.
constexpr size_t kLeastItems = 8;

size_t bands_of(size_t images, size_t rows) {
  return images >= kLeastItems
             ? 1
             : std::max<size_t>(std::min(rows, tiles_of(kLeastItems, std::max<size_t>(images, 1))), 1);
}

size_t rooms_of(size_t floats) {
  return floats == 0 ? kMostRooms : std::min(kMostRooms, std::max<size_t>(kRoomFloats / floats, 1));
}

// Columns of all panels of packed weights, for so many channels of the target.
size_t packed_columns(const ConvGeometry& g, size_t target, const KernelTable& kernels) {
  const size_t width = kernels.gemm_columns;
  return g.depthwise() ? round_up(target, width) : round_up(target / g.groups, width) * g.groups;
}

// Scratch of conv and conv_transposed: segments, packed weights, copies with padding, bits of a mask.
struct Room {
  size_t segments, packed, copies, mask;  // bytes before each
  size_t bytes;
  size_t copy_floats, copy_count;
};

constexpr uint64_t kMaskUnit = 256;

Room room_of(const Arguments& a, bool transposed, const KernelTable& kernels) {
  const ConvGeometry g(a);
  const size_t source = transposed ? g.outputs : g.channels, target = transposed ? g.channels : g.outputs;
  const Reach reach = reach_of(g, transposed);
  Room room{};
  room.copy_floats = room_floats(reach, source);
  room.copy_count = rooms_of(room.copy_floats);
  room.packed = round_up(g.taps() * sizeof(ptrdiff_t), kAlignment);
  const size_t panels = packed_columns(g, target, kernels) * g.taps() * (source / g.groups);
  room.copies = room.packed + round_up(panels * sizeof(float), kAlignment);
  room.mask = room.copies + round_up(room.copy_floats * room.copy_count * sizeof(float), kAlignment);
  const size_t elements = g.images * (transposed ? g.large_size() : g.small_size());
  room.bytes = room.mask;
  if (a.ints[ConvAt::site] >= 0) room.bytes += round_up((elements + 2 * kMaskUnit) / 8 + sizeof(uint32_t), kAlignment);
  return room;
}

// Weights as panels: columns of the target, rows of k in the order of the taps. Element (row, column) of the matrix is
// w[row_at + column·column_stride], with k = (tap, inner channel).
void pack_weights(const ConvGeometry& g, const Sides& sides, bool transposed, const Taps& rows, const Taps& columns,
                  const float* w, size_t width, float* out) {
  const size_t inner = sides.inner(), outer = sides.outer(), shared = g.channels / g.groups;
  const size_t per_output = g.taps() * shared;
  for (size_t group = 0; group < g.groups; ++group) {
    for (size_t begin = 0; begin < outer; begin += width) {
      const size_t count = std::min(width, outer - begin);
      for (size_t r = 0; r < rows.count; ++r) {
        for (size_t c = 0; c < columns.count; ++c) {
          const float* const tap = w + (rows.kernel(r) * g.columns.kernel + columns.kernel(c)) * shared;
          for (size_t i = 0; i < inner; ++i, out += width) {
            if (transposed) {
              std::memcpy(out, tap + (group * inner + i) * per_output + begin, count * sizeof(float));
            } else {
              const float* const from = tap + (group * outer + begin) * per_output + i;
              for (size_t j = 0; j < count; ++j) out[j] = from[j * per_output];
            }
            std::memset(out + count, 0, (width - count) * sizeof(float));
          }
        }
      }
    }
  }
}

// Weights of a depthwise convolution as rows of channels, `width` floats each, in the order of the taps.
void pack_channels(const ConvGeometry& g, const Taps& rows, const Taps& columns, const float* w, size_t width,
                   float* out) {
  for (size_t r = 0; r < rows.count; ++r) {
    for (size_t c = 0; c < columns.count; ++c, out += width) {
      const float* const tap = w + rows.kernel(r) * g.columns.kernel + columns.kernel(c);
      for (size_t channel = 0; channel < g.channels; ++channel) out[channel] = tap[channel * g.taps()];
      std::memset(out + g.channels, 0, (width - g.channels) * sizeof(float));
    }
  }
}

// Packed panels that are walked at once, with their whole depth: they stay in the second-level cache.
size_t group_of(size_t depth, const KernelTable& kernels) {
  const size_t panel_bytes = kernels.gemm_columns * depth * sizeof(float);
  return std::max<size_t>(kBlockBytes / std::max<size_t>(panel_bytes, 1), 1);
}

// Rows [begin, end) of a walk's places, of one image. `source`: row `source_row` of the padded image and those behind
// it, `pitch` floats each.
void walk_rows(const KernelTable& kernels, const Sides& sides, const Walk& walk, const GemmTask& whole,
               const float* source, size_t pitch, size_t source_row, size_t begin, size_t end) {
  const size_t outer = sides.depthwise ? sides.target_channels : sides.outer(), depth = walk.depth();
  const size_t panels = tiles_of(outer, kernels.gemm_columns);
  GemmTask task = whole;
  task.left_row_stride = walk.source_columns * sides.source_channels;
  task.left_depth_stride = 1;
  task.segments = walk.segments;
  task.segment_length = std::max<size_t>(walk.segment_length, 1);
  task.right_packed = true;
  task.rows = walk.columns;
  task.columns = outer;
  task.k = depth;
  task.group = group_of(depth, kernels);
  task.c_stride = task.keep_stride = walk.target_columns * sides.target_channels;
  task.right_stride = panels * kernels.gemm_columns;
  for (size_t group = 0; group < (sides.depthwise ? 1 : sides.groups); ++group) {
    task.right = walk.packed + group * panels * kernels.gemm_columns * depth;
    if (whole.bias != nullptr) task.bias = whole.bias + group * outer;
    for (size_t panel = 0; panel < (sides.depthwise ? 1 : panels); panel += task.group) {
      for (size_t row = begin; row < end; ++row) {
        const size_t target_row = walk.first_row + row * walk.target_rows;
        const size_t place =
            (target_row * sides.target_width + walk.first_column) * sides.target_channels + group * outer;
        task.left = source + (row * walk.source_rows - source_row) * pitch + group * sides.inner();
        task.c = whole.c + place;
        task.keep_offset = whole.keep_offset + place;
        if (whole.gate_values != nullptr) task.gate_values = whole.gate_values + place;
        if (sides.depthwise) {
          kernels.depthwise_f32(task);
          continue;
        }
        kernels.gemm_f32(task, 0, tiles_of(task.rows, kernels.gemm_rows), panel, std::min(panels, panel + task.group));
      }
    }
  }
}

// The bits of the mask of y.
void draw_bits(const Context& context, const Arguments& a, size_t elements, size_t row_elements, std::byte* room,
               GemmTask& task) {
  const uint64_t first =
      static_cast<uint64_t>(context.registers.batch_offset) * a.size(ConvAt::example_rows) * row_elements;
  const uint64_t begin = first / kMaskUnit * kMaskUnit;
  auto* bits = reinterpret_cast<uint16_t*>(room);
  DropoutArguments arguments{};
  arguments.seed = context.registers.seed;
  arguments.step = context.registers.step;
  arguments.site = static_cast<uint32_t>(a.ints[ConvAt::site]);
  arguments.threshold = dropout_threshold(a.doubles[ConvAt::keep]);
  const size_t all = elements + static_cast<size_t>(first - begin);
  const size_t chunks = context.parallel.chunks(all, size_t{1} << 17);
  const size_t step = round_up((all + chunks - 1) / chunks, kMaskUnit);
  context.parallel.run(chunks, [&](size_t chunk) {
    const size_t from = std::min(chunk * step, all), to = std::min(from + step, all);
    if (from < to) context.kernels.dropout_mask_bits(bits + from / 16, to - from, begin + from, arguments);
  });
  task.keep = reinterpret_cast<const uint8_t*>(bits);
  task.keep_offset = static_cast<size_t>(first - begin);
  task.keep_scale = static_cast<float>(a.doubles[ConvAt::keep_scale]);
}

template <bool transposed>
void check_conv(const Arguments& a, Requirements& r) {
  const ConvGeometry g(a);
  check_geometry(g, r);
  if (!r.error.empty()) return;
  if (transposed) {
    const Reach reach = reach_of(g, true);
    bounded({reach.rows.padded_size(), reach.columns.padded_size(), g.outputs}, r);
  }
  if (a.ints[ConvAt::activation] < 0 || a.ints[ConvAt::activation] >= static_cast<int64_t>(Activation::count)) {
    r.fail("no such activation");
  }
  if (a.ints[ConvAt::site] < -1 || a.ints[ConvAt::example_rows] < 0) r.fail("bad place of a mask");
  if (!(a.doubles[ConvAt::keep] >= 0 && a.doubles[ConvAt::keep] <= 1)) r.fail("keep outside [0, 1]");
  if (a.ints[ConvAt::backward] < 0 || a.ints[ConvAt::backward] >= static_cast<int64_t>(Backward::count)) {
    r.fail("no such gate");
  }
  if ((a.views[ConvAt::gate] != nullptr) != (a.ints[ConvAt::backward] != 0))
    r.fail("a gate and what it does go together");
  if (!r.error.empty()) return;
  r.need(ConvAt::x, g.images, transposed ? g.small_size() : g.large_size());
  r.need(ConvAt::w, g.outputs, g.weights() / g.outputs);
  r.need(ConvAt::bias, transposed ? g.channels : g.outputs);
  r.need(ConvAt::y, g.images, transposed ? g.large_size() : g.small_size());
  r.need(ConvAt::gate, g.images, transposed ? g.large_size() : g.small_size());
}

template <bool transposed>
size_t scratch_conv(const Arguments& a, const KernelTable& kernels) {
  return room_of(a, transposed, kernels).bytes;
}

template <bool transposed>
void run_conv(const Context& context, const Arguments& a) {
  const KernelTable& kernels = context.kernels;
  const ConvGeometry g(a);
  if (g.images == 0) return;
  const Room room = room_of(a, transposed, kernels);
  auto* const scratch = static_cast<std::byte*>(context.scratch);
  const bool depthwise = g.depthwise();
  const Sides sides = transposed ? Sides{g.outputs, g.channels, g.groups, g.rows.large, g.columns.large, depthwise}
                                 : Sides{g.channels, g.outputs, g.groups, g.rows.small, g.columns.small, depthwise};
  const Reach reach = reach_of(g, transposed);
  const size_t pitch = reach.columns.padded_size() * sides.source_channels;
  const size_t target_size = sides.target_height * sides.target_width * sides.target_channels;
  const size_t source_size = reach.rows.large * reach.columns.large * sides.source_channels;

  GemmTask task{};
  task.bias = a.view<const float>(ConvAt::bias);
  task.activation = static_cast<Activation>(a.ints[ConvAt::activation]);
  task.backward = static_cast<Backward>(a.ints[ConvAt::backward]);
  task.gate_values = a.view<const float>(ConvAt::gate);
  task.gate_scale = static_cast<float>(a.doubles[ConvAt::gate_scale]);
  if (a.ints[ConvAt::site] >= 0) {
    draw_bits(context, a, g.images * target_size, sides.target_channels, scratch + room.mask, task);
  }

  // Phases: one of a convolution; of a transposed one all remainders to the strides.
  const size_t row_phases = transposed ? std::min(g.rows.stride, g.rows.large) : 1;
  const size_t column_phases = transposed ? std::min(g.columns.stride, g.columns.large) : 1;
  auto* const segments = reinterpret_cast<ptrdiff_t*>(scratch);
  auto* const packed = reinterpret_cast<float*>(scratch + room.packed);
  const auto* const w = a.view<const float>(ConvAt::w);
  const size_t panel_columns = packed_columns(g, sides.target_channels, kernels);
  const auto walk_of = [&](size_t row_phase, size_t column_phase, size_t& taps_before, bool prepare) {
    const Taps rows = transposed ? transposed_taps(g.rows, row_phase) : taps_of(g.rows);
    const Taps columns = transposed ? transposed_taps(g.columns, column_phase) : taps_of(g.columns);
    Walk walk{};
    walk.rows = transposed ? places_of(g.rows, row_phase) : g.rows.small;
    walk.columns = transposed ? places_of(g.columns, column_phase) : g.columns.small;
    walk.source_rows = transposed ? 1 : g.rows.stride;
    walk.source_columns = transposed ? 1 : g.columns.stride;
    walk.first_row = row_phase;
    walk.first_column = column_phase;
    walk.target_rows = transposed ? g.rows.stride : 1;
    walk.target_columns = transposed ? g.columns.stride : 1;
    walk.segments = segments + taps_before;
    const bool joined = side_by_side(columns, g.groups);
    walk.segment_count = rows.count * (joined ? (columns.count == 0 ? 0 : 1) : columns.count);
    walk.segment_length = joined ? columns.count * sides.inner() : sides.inner();
    walk.packed = packed + taps_before * sides.inner() * panel_columns;
    if (prepare) {
      ptrdiff_t* at = segments + taps_before;
      for (size_t r = 0; r < rows.count; ++r) {
        for (size_t c = 0; c < (joined ? std::min<size_t>(columns.count, 1) : columns.count); ++c) {
          const ptrdiff_t row = rows.first + static_cast<ptrdiff_t>(reach.rows.before + r * rows.step);
          const ptrdiff_t column = columns.first + static_cast<ptrdiff_t>(reach.columns.before + c * columns.step);
          *at++ = row * static_cast<ptrdiff_t>(pitch) + column * static_cast<ptrdiff_t>(sides.source_channels);
        }
      }
      float* const panels = packed + taps_before * sides.inner() * panel_columns;
      if (depthwise) {
        pack_channels(g, rows, columns, w, panel_columns, panels);
      } else {
        pack_weights(g, sides, transposed, rows, columns, w, kernels.gemm_columns, panels);
      }
    }
    taps_before += rows.count * columns.count;
    return walk;
  };
  size_t taps_before = 0;
  for (size_t i = 0; i < row_phases * column_phases; ++i) {
    walk_of(i / column_phases, i % column_phases, taps_before, true);
  }

  const size_t band_rows = transposed ? places_of(g.rows, 0) : g.rows.small;
  const size_t bands = bands_of(g.images, band_rows);
  const size_t items = g.images * bands;
  const size_t chunks = std::min({context.parallel.chunks(g.flops(), kLeastFlops), room.copy_count, items});
  const size_t row_step = transposed ? 1 : g.rows.stride;
  context.parallel.run(chunks, [&](size_t chunk) {
    float* const copy = reinterpret_cast<float*>(scratch + room.copies) + chunk * room.copy_floats;
    for (size_t item = items * chunk / chunks; item < items * (chunk + 1) / chunks; ++item) {
      const size_t image = item / bands, band = item % bands;
      const size_t begin = band_rows * band / bands, end = band_rows * (band + 1) / bands;
      const float* source = a.view<const float>(ConvAt::x) + image * source_size;
      size_t source_row = 0;
      if (room.copy_floats != 0) {
        // All rows that the places of the band touch.
        source_row = begin * row_step;
        const size_t last = transposed ? reach.rows.padded_size() + 1 - (band_rows - end)
                                       : (end - 1) * row_step + (g.rows.kernel - 1) * g.rows.dilation + 1;
        pad_rows(source, reach.rows, reach.columns, sides.source_channels, source_row,
                 std::min(last, reach.rows.padded_size()), copy);
        source = copy;
      }
      GemmTask own = task;
      own.c = a.view<float>(ConvAt::y) + image * target_size;
      own.keep_offset = task.keep_offset + image * target_size;
      if (task.gate_values != nullptr) own.gate_values = task.gate_values + image * target_size;
      size_t before = 0;
      for (size_t i = 0; i < row_phases * column_phases; ++i) {
        const Walk walk = walk_of(i / column_phases, i % column_phases, before, false);
        const size_t until = std::min(end, walk.rows);
        walk_rows(kernels, sides, walk, own, source, pitch, source_row, begin, until);
      }
    }
  });
}

}  // namespace

constinit const Operation op_conv{"conv", ConvAt::all, false, check_conv<false>, scratch_conv<false>, run_conv<false>};
constinit const Operation op_conv_transposed{"conv_transposed", ConvAt::all,        false,
                                             check_conv<true>,  scratch_conv<true>, run_conv<true>};

}  // namespace carillon
