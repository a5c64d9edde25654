// Convolutions, their transposes and the gradients of their weights.
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
#include "gemm_run.h"
#include "operation.h"
#include "philox.h"
#include "windows.h"

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
struct ConvWeightAt {
  static constexpr Operands all{
      "x:f g:f dw:F",
      "images:d height:i width:i channels:i out_height:i out_width:i outputs:i kernel_height:i kernel_width:i "
      "stride_height:i stride_width:i dilation_height:i dilation_width:i before_height:i before_width:i groups:i",
      ""};
  static constexpr size_t x = all.view("x"), g = all.view("g"), dw = all.view("dw");
  static constexpr size_t height = all.integer("height");
};
static_assert(ConvAt::height == ConvWeightAt::height);

struct Geometry {
  size_t images, channels, outputs, groups;
  WindowAxis rows, columns;

  explicit Geometry(const Arguments& a) {
    auto next = [&a, at = ConvAt::images]() mutable { return a.size(at++); };
    images = next();
    rows.large = next();
    columns.large = next();
    channels = next();
    rows.small = next();
    columns.small = next();
    outputs = next();
    rows.kernel = next();
    columns.kernel = next();
    rows.stride = next();
    columns.stride = next();
    rows.dilation = next();
    columns.dilation = next();
    rows.before = next();
    columns.before = next();
    groups = next();
  }
  size_t large_size() const { return rows.large * columns.large * channels; }
  size_t small_size() const { return rows.small * columns.small * outputs; }
  size_t taps() const { return rows.kernel * columns.kernel; }
  size_t weights() const { return outputs * taps() * (channels / groups); }
  bool padded() const { return rows.padded() || columns.padded(); }
  size_t flops() const { return 2 * images * rows.small * columns.small * weights(); }
};

void check_geometry(const Geometry& g, Requirements& r) {
  check_axis(g.rows, r);
  check_axis(g.columns, r);
  if (g.channels < 1 || g.outputs < 1 || g.groups < 1 || g.channels > kMostSize || g.outputs > kMostSize) {
    return r.fail("a convolution of nothing");
  }
  if (!r.error.empty()) return;
  if (g.channels % g.groups != 0 || g.outputs % g.groups != 0) r.fail("groups that do not divide the channels");
  bounded({g.outputs, g.rows.kernel, g.columns.kernel, g.channels / g.groups}, r);
  bounded({g.rows.padded_size(), g.columns.padded_size(), g.channels}, r);
  bounded({g.rows.large, g.columns.large, g.channels}, r);
  bounded({g.rows.small, g.columns.small, g.outputs}, r);
}

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

  size_t inner() const { return source_channels / groups; }  // a group's
  size_t outer() const { return target_channels / groups; }
  size_t panel_floats(const KernelTable& kernels) const { return round_up(outer(), kernels.gemm_columns); }
};

// Taps of one axis, in the order in which they are added, as places of the source at place 0: first, first + step, ….
struct Taps {
  size_t count = 0;
  ptrdiff_t first = 0;
  size_t step = 0;
  size_t kernel_first = 0;  // the row of the kernel of the first of them
  ptrdiff_t kernel_step = 0;
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

Reach reach_of(const Geometry& g, bool transposed) {
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

// Scratch of conv and conv_transposed: segments, packed weights, copies with padding, bits of a mask.
struct Room {
  size_t segments, packed, copies, mask;  // bytes before each
  size_t bytes;
  size_t copy_floats, copy_count;
};

constexpr uint64_t kMaskUnit = 256;

Room room_of(const Arguments& a, bool transposed, const KernelTable& kernels) {
  const Geometry g(a);
  const size_t source = transposed ? g.outputs : g.channels, target = transposed ? g.channels : g.outputs;
  const Reach reach = reach_of(g, transposed);
  Room room{};
  room.copy_floats = room_floats(reach, source);
  room.copy_count = rooms_of(room.copy_floats);
  room.packed = round_up(g.taps() * sizeof(ptrdiff_t), kAlignment);
  const size_t panels = round_up(target / g.groups, kernels.gemm_columns) * g.groups * g.taps() * (source / g.groups);
  room.copies = room.packed + round_up(panels * sizeof(float), kAlignment);
  room.mask = room.copies + round_up(room.copy_floats * room.copy_count * sizeof(float), kAlignment);
  const size_t elements = g.images * (transposed ? g.large_size() : g.small_size());
  room.bytes = room.mask;
  if (a.ints[ConvAt::site] >= 0) room.bytes += round_up((elements + 2 * kMaskUnit) / 8 + sizeof(uint32_t), kAlignment);
  return room;
}

// Weights as panels: columns of the target, rows of k in the order of the taps. Element (row, column) of the matrix is
// w[row_at + column·column_stride], with k = (tap, inner channel).
void pack_weights(const Geometry& g, const Sides& sides, bool transposed, const Taps& rows, const Taps& columns,
                  const float* w, size_t width, float* out) {
  const size_t inner = sides.inner(), outer = sides.outer(), shared = g.channels / g.groups;
  const size_t per_output = g.taps() * shared;
  for (size_t group = 0; group < g.groups; ++group) {
    for (size_t begin = 0; begin < outer; begin += width) {
      const size_t count = std::min(width, outer - begin);
      for (size_t r = 0; r < rows.count; ++r) {
        for (size_t c = 0; c < columns.count; ++c) {
          const auto row = static_cast<size_t>(static_cast<ptrdiff_t>(rows.kernel_first) +
                                               static_cast<ptrdiff_t>(r) * rows.kernel_step);
          const auto column = static_cast<size_t>(static_cast<ptrdiff_t>(columns.kernel_first) +
                                                  static_cast<ptrdiff_t>(c) * columns.kernel_step);
          const float* const tap = w + (row * g.columns.kernel + column) * shared;
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

// Packed panels that are walked at once, with their whole depth: they stay in the second-level cache.
size_t group_of(size_t depth, const KernelTable& kernels) {
  const size_t panel_bytes = kernels.gemm_columns * depth * sizeof(float);
  return std::max<size_t>(kBlockBytes / std::max<size_t>(panel_bytes, 1), 1);
}

// Rows [begin, end) of a walk's places, of one image. `source`: row `source_row` of the padded image and those behind
// it, `pitch` floats each.
void walk_rows(const KernelTable& kernels, const Sides& sides, const Walk& walk, const GemmTask& whole,
               const float* source, size_t pitch, size_t source_row, size_t begin, size_t end) {
  const size_t outer = sides.outer(), depth = walk.depth();
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
  for (size_t group = 0; group < sides.groups; ++group) {
    task.right = walk.packed + group * panels * kernels.gemm_columns * depth;
    if (whole.bias != nullptr) task.bias = whole.bias + group * outer;
    for (size_t panel = 0; panel < panels; panel += task.group) {
      for (size_t row = begin; row < end; ++row) {
        const size_t target_row = walk.first_row + row * walk.target_rows;
        const size_t place =
            (target_row * sides.target_width + walk.first_column) * sides.target_channels + group * outer;
        task.left = source + (row * walk.source_rows - source_row) * pitch + group * sides.inner();
        task.c = whole.c + place;
        task.keep_offset = whole.keep_offset + place;
        if (whole.gate_values != nullptr) task.gate_values = whole.gate_values + place;
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
  const Geometry g(a);
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
  const Geometry g(a);
  if (g.images == 0) return;
  const Room room = room_of(a, transposed, kernels);
  auto* const scratch = static_cast<std::byte*>(context.scratch);
  const Sides sides = transposed ? Sides{g.outputs, g.channels, g.groups, g.rows.large, g.columns.large}
                                 : Sides{g.channels, g.outputs, g.groups, g.rows.small, g.columns.small};
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
  const size_t panel_columns = sides.panel_floats(kernels) * g.groups;
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
      pack_weights(g, sides, transposed, rows, columns, w, kernels.gemm_columns,
                   packed + taps_before * sides.inner() * panel_columns);
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

// ---- Gradients of weights -------------------------------------------------------------------------------------

// Sums of all chunks of k stand side by side up to here, so that threads share the work by chunks.
constexpr size_t kApartFloats = size_t{1} << 20;

struct WeightRoom {
  size_t segments, copy, sums;  // bytes before each
  size_t bytes;
  size_t depth, chunks;
  bool apart;
};

WeightRoom weight_room_of(const Geometry& g) {
  WeightRoom room{};
  room.depth = g.images * g.rows.small * g.columns.small;
  room.chunks = tiles_of(room.depth, kDepthChunk);
  room.apart = room.chunks * g.weights() <= kApartFloats;
  room.copy = round_up(g.images * g.rows.small * sizeof(ptrdiff_t), kAlignment);
  const size_t copied = g.padded() ? g.images * g.rows.padded_size() * g.columns.padded_size() * g.channels : 0;
  room.sums = room.copy + round_up(copied * sizeof(float), kAlignment);
  // Of a smaller batch fewer chunks may be apart.
  const size_t sums = std::max(g.weights(), std::min(room.chunks * g.weights(), kApartFloats));
  room.bytes = room.sums + round_up(sums * sizeof(float), kAlignment);
  return room;
}

void check_conv_weight(const Arguments& a, Requirements& r) {
  const Geometry g(a);
  check_geometry(g, r);
  if (!r.error.empty()) return;
  r.need(ConvWeightAt::x, g.images, g.large_size());
  r.need(ConvWeightAt::g, g.images, g.small_size());
  r.need(ConvWeightAt::dw, g.outputs, g.weights() / g.outputs);
}

size_t scratch_conv_weight(const Arguments& a, const KernelTable&) { return weight_room_of(Geometry(a)).bytes; }

void run_conv_weight(const Context& context, const Arguments& a) {
  const KernelTable& kernels = context.kernels;
  const Geometry g(a);
  const WeightRoom room = weight_room_of(g);
  auto* const scratch = static_cast<std::byte*>(context.scratch);
  auto* const dw = a.view<float>(ConvWeightAt::dw);
  if (room.depth == 0) {
    std::memset(dw, 0, g.weights() * sizeof(float));
    return;
  }
  const float* x = a.view<const float>(ConvWeightAt::x);
  const size_t height = g.rows.padded_size(), width = g.columns.padded_size(), pitch = width * g.channels;
  if (g.padded()) {
    auto* const copy = reinterpret_cast<float*>(scratch + room.copy);
    over_rows(context, g.images, height * pitch, [&](size_t begin, size_t end) {
      for (size_t image = begin; image < end; ++image) {
        pad_rows(x + image * g.large_size(), g.rows, g.columns, g.channels, 0, height, copy + image * height * pitch);
      }
    });
    x = copy;
  }
  // A segment of k is a row of places.
  auto* const segments = reinterpret_cast<ptrdiff_t*>(scratch);
  const size_t image_pitch = (g.padded() ? height : g.rows.large) * pitch;
  for (size_t image = 0; image < g.images; ++image) {
    for (size_t row = 0; row < g.rows.small; ++row) {
      segments[image * g.rows.small + row] = static_cast<ptrdiff_t>(image * image_pitch + row * g.rows.stride * pitch);
    }
  }
  // Rows of the product: runs of neighbours of x, as many as the kernel's taps that lie side by side have channels.
  const size_t inner = g.channels / g.groups, outer = g.outputs / g.groups;
  const bool joined = g.groups == 1 && g.columns.dilation == 1;
  const size_t runs = g.rows.kernel * (joined ? 1 : g.columns.kernel);
  const size_t length = joined ? g.columns.kernel * inner : inner;
  const size_t tiles = tiles_of(length, kernels.gemm_rows), panels = tiles_of(outer, kernels.gemm_columns);
  const size_t units = g.groups * runs * tiles;
  auto* const sums = reinterpret_cast<float*>(scratch + room.sums);
  const size_t parts = room.apart ? room.chunks : 1;
  const size_t items = parts * units;
  const size_t pieces = std::min(items, context.parallel.chunks(g.flops(), kLeastFlops));
  const size_t group_floats = g.taps() * inner * outer;
  context.parallel.run(pieces, [&](size_t piece) {
    for (size_t item = items * piece / pieces; item < items * (piece + 1) / pieces; ++item) {
      const size_t part = item / units, unit = item % units;
      const size_t group = unit / (runs * tiles), run = unit / tiles % runs, tile = unit % tiles;
      const size_t row = joined ? run : run / g.columns.kernel, column = joined ? 0 : run % g.columns.kernel;
      const size_t begin = part * kDepthChunk;
      GemmTask task{};
      task.left = x + row * g.rows.dilation * pitch + column * g.columns.dilation * g.channels + group * inner;
      task.left_row_stride = 1;
      task.left_depth_stride = g.columns.stride * g.channels;
      task.segments = segments + begin / g.columns.small;
      task.segment_length = g.columns.small;
      task.segment_skip = begin % g.columns.small;
      task.right = a.view<const float>(ConvWeightAt::g) + begin * g.outputs + group * outer;
      task.right_stride = g.outputs;
      task.rows = length;
      task.columns = outer;
      task.k = room.apart ? std::min(kDepthChunk, room.depth - begin) : room.depth;
      task.group = panels;
      task.c = sums + part * g.weights() + group * group_floats + run * length * outer;
      task.c_stride = outer;
      kernels.gemm_f32(task, tile, tile + 1, 0, panels);
    }
  });
  // [groups, taps, inner, outer] of each part to [groups, outer, taps, inner], parts added in order.
  const size_t taps_inner = g.taps() * inner;
  over_rows(context, g.outputs, taps_inner * parts, [&](size_t begin, size_t end) {
    for (size_t output = begin; output < end; ++output) {
      const float* const from = sums + output / outer * group_floats + output % outer;
      float* const to = dw + output * taps_inner;
      for (size_t k = 0; k < taps_inner; ++k) {
        float total = from[k * outer];
        for (size_t part = 1; part < parts; ++part) total += from[part * g.weights() + k * outer];
        to[k] = total;
      }
    }
  });
}

}  // namespace

constinit const Operation op_conv{"conv", ConvAt::all, false, check_conv<false>, scratch_conv<false>, run_conv<false>};
constinit const Operation op_conv_transposed{"conv_transposed", ConvAt::all,        false,
                                             check_conv<true>,  scratch_conv<true>, run_conv<true>};
constinit const Operation op_conv_weight{"conv_weight",     ConvWeightAt::all,   false,
                                         check_conv_weight, scratch_conv_weight, run_conv_weight};

}  // namespace carillon
