// Convolutions and their transposes. The gradients of their weights: convolution_weight.cc.
//
// large: [images, height, width, channels]; small: [images, out_height, out_width, outputs]; w: [outputs,
// kernel_height, kernel_width, channels/groups]. Each is a product whose left side lies in segments of the image, the
// places of a row, or those of several images, one step apart. The order of an element's sum:
//   conv             k = (kernel row, kernel column, channel),
//   conv_transposed  k = (row of small, column of small, output), of those that reach the element,
//   conv_weight      k = (image, row of small, column of small),
// each in chunks of kDepthChunk, a chain of fused multiply-adds each, chunks added in order.
#include <array>

#include "../runtime/memory.h"
#include "convolution_walk.h"
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
  return g.depthwise() ? round_up(target, width) : round_up(target / std::max<size_t>(g.groups, 1), width) * g.groups;
}

// Whether taps in padding are left out and images read as they are. Otherwise padding is read as +0 from a copy of an
// image that has it; then sums of several chunks keep their chunks, and the taps of a row may lie apart.
bool trims(const ConvGeometry& g, bool transposed) {
  const size_t source = transposed ? g.outputs : g.channels;
  return !g.depthwise() && g.taps() * source <= kDepthChunk &&
         side_by_side(transposed ? transposed_taps(g.columns, 0) : taps_of(g.columns), g.groups);
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
  room.copy_floats = trims(g, transposed) ? 0 : room_floats(reach, source);
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

// A panel of weights: columns [begin, begin + width) of a group of the target, rows of k in the order of the taps.
// Element (row, column) of the matrix is w[row_at + column·column_stride], with k = (tap, inner channel).
void pack_panel(const KernelTable& kernels, const ConvGeometry& g, const Sides& sides, bool transposed,
                const Taps& rows, const Taps& columns, const float* w, size_t panel, float* out) {
  const size_t width = kernels.gemm_columns;
  const size_t inner = sides.inner(), outer = sides.outer(), shared = g.channels / g.groups;
  const size_t per_output = g.taps() * shared, panels = tiles_of(outer, width);
  const size_t group = panel / panels, begin = panel % panels * width, count = std::min(width, outer - begin);
  if (!transposed) {
    kernels.gemm_pack_right_f32(w + (group * outer + begin) * per_output, per_output, true, count, per_output, 0, 1,
                                out);
    return;
  }
  for (size_t r = 0; r < rows.count; ++r) {
    for (size_t c = 0; c < columns.count; ++c) {
      const float* from =
          w + (rows.kernel(r) * g.columns.kernel + columns.kernel(c)) * shared + group * inner * per_output + begin;
      for (size_t i = 0; i < inner; ++i, from += per_output, out += width) {
        std::memcpy(out, from, count * sizeof(float));
        std::memset(out + count, 0, (width - count) * sizeof(float));
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

// One convolution, or transposed one, over all images.
class Convolution {
 public:
  Convolution(const Context& context, const Arguments& a, bool transposed)
      : context_(context),
        kernels_(context.kernels),
        g_(a),
        transposed_(transposed),
        trims_(trims(g_, transposed)),
        reach_(reach_of(g_, transposed)),
        room_(room_of(a, transposed, context.kernels)),
        scratch_(static_cast<std::byte*>(context.scratch)),
        source_(a.view<const float>(ConvAt::x)),
        weight_(a.view<const float>(ConvAt::w)) {
    sides_ = transposed ? Sides{g_.outputs,       g_.channels,   g_.groups,        g_.rows.small,
                                g_.columns.small, g_.rows.large, g_.columns.large, g_.depthwise()}
                        : Sides{g_.channels,      g_.outputs,    g_.groups,        g_.rows.large,
                                g_.columns.large, g_.rows.small, g_.columns.small, g_.depthwise()};
    pitch_ = (trims_ ? sides_.source_width : reach_.columns.padded_size()) * sides_.source_channels;
    // Phases: one of a convolution; of a transposed one all remainders to the strides.
    column_phases_ = transposed ? std::min(g_.columns.stride, g_.columns.large) : 1;
    phases_ = transposed ? std::min(g_.rows.stride, g_.rows.large) * column_phases_ : 1;
    task_.c = a.view<float>(ConvAt::y);
    task_.bias = a.view<const float>(ConvAt::bias);
    task_.activation = static_cast<Activation>(a.ints[ConvAt::activation]);
    task_.backward = static_cast<Backward>(a.ints[ConvAt::backward]);
    task_.gate_values = a.view<const float>(ConvAt::gate);
    task_.gate_scale = static_cast<float>(a.doubles[ConvAt::gate_scale]);
    if (a.ints[ConvAt::site] >= 0) {
      draw_bits(context, a, g_.images * sides_.target_size(), sides_.target_channels, scratch_ + room_.mask, task_);
    }
  }

  void run() const {
    lay_segments();
    pack();
    if (trims_) {
      run_as_they_are();
    } else {
      run_padded();
    }
  }

 private:
  std::array<Taps, 2> taps_of_phase(size_t phase) const {
    if (!transposed_) return {taps_of(g_.rows), taps_of(g_.columns)};
    return {transposed_taps(g_.rows, phase / column_phases_), transposed_taps(g_.columns, phase % column_phases_)};
  }

  ptrdiff_t* segments() const { return reinterpret_cast<ptrdiff_t*>(scratch_); }
  float* packed(size_t taps_before) const {
    const size_t columns = packed_columns(g_, sides_.target_channels, kernels_);
    return reinterpret_cast<float*>(scratch_ + room_.packed) + taps_before * sides_.inner() * columns;
  }

  // Segments and panels of a walk lie behind those of the walks before.
  Walk walk_of(size_t phase, size_t& taps_before) const {
    const size_t row_phase = phase / column_phases_, column_phase = phase % column_phases_;
    const auto [rows, columns] = taps_of_phase(phase);
    Walk walk{};
    walk.rows = transposed_ ? places_of(g_.rows, row_phase) : g_.rows.small;
    walk.columns = transposed_ ? places_of(g_.columns, column_phase) : g_.columns.small;
    walk.source_rows = transposed_ ? 1 : g_.rows.stride;
    walk.source_columns = transposed_ ? 1 : g_.columns.stride;
    walk.first_row = row_phase;
    walk.first_column = column_phase;
    walk.target_rows = transposed_ ? g_.rows.stride : 1;
    walk.target_columns = transposed_ ? g_.columns.stride : 1;
    walk.row_taps = rows;
    walk.column_taps = columns;
    walk.segments = segments() + taps_before;
    const bool joined = side_by_side(columns, g_.groups);
    walk.segment_count = rows.count * (joined ? (columns.count == 0 ? 0 : 1) : columns.count);
    walk.segment_length = joined ? columns.count * sides_.inner() : sides_.inner();
    walk.packed = packed(taps_before);
    taps_before += rows.count * columns.count;
    return walk;
  }

  // Where the taps of each walk lie: those of a place in the image with its padding, or of images as they are where the
  // rows of taps lie, from the first on.
  void lay_segments() const {
    ptrdiff_t* begin = segments();
    for (size_t phase = 0; phase < phases_; ++phase) {
      const auto [rows, columns] = taps_of_phase(phase);
      const bool joined = side_by_side(columns, g_.groups);
      ptrdiff_t* at = begin;
      for (size_t r = 0; r < rows.count; ++r) {
        for (size_t c = 0; c < (joined ? std::min<size_t>(columns.count, 1) : columns.count); ++c) {
          const ptrdiff_t row = trims_ ? static_cast<ptrdiff_t>(r * rows.step)
                                       : rows.first + static_cast<ptrdiff_t>(reach_.rows.before + r * rows.step);
          const ptrdiff_t column =
              trims_ ? 0 : columns.first + static_cast<ptrdiff_t>(reach_.columns.before + c * columns.step);
          *at++ = row * static_cast<ptrdiff_t>(pitch_) + column * static_cast<ptrdiff_t>(sides_.source_channels);
        }
      }
      begin += rows.count * columns.count;
    }
  }

  // Weights as panels, each walk behind the one before.
  void pack() const {
    const size_t panels = g_.groups * tiles_of(sides_.outer(), kernels_.gemm_columns);
    const size_t chunks =
        sides_.depthwise ? 1 : std::min(panels, context_.parallel.chunks(g_.weights(), kLeastElements));
    context_.parallel.run(chunks, [&](size_t chunk) {
      size_t taps_before = 0;
      for (size_t phase = 0; phase < phases_; ++phase) {
        const auto [rows, columns] = taps_of_phase(phase);
        float* const out = packed(taps_before);
        if (sides_.depthwise) {
          pack_channels(g_, rows, columns, weight_, packed_columns(g_, sides_.target_channels, kernels_), out);
        } else {
          const size_t panel_floats = rows.count * columns.count * sides_.inner() * kernels_.gemm_columns;
          for (size_t panel = panels * chunk / chunks; panel < panels * (chunk + 1) / chunks; ++panel) {
            pack_panel(kernels_, g_, sides_, transposed_, rows, columns, weight_, panel, out + panel * panel_floats);
          }
        }
        taps_before += rows.count * columns.count;
      }
    });
  }

  // Rows of places of the first walk, which has the most.
  size_t band_rows() const { return transposed_ ? places_of(g_.rows, 0) : g_.rows.small; }

  GemmTask task_of_image(size_t image) const {
    GemmTask task = task_;
    const size_t place = image * sides_.target_size();
    task.c += place;
    task.keep_offset += place;
    if (task.gate_values != nullptr) task.gate_values += place;
    return task;
  }

  // Images go side by side where they fill the tiles of a product about as well as the places of a row would, since no
  // place of theirs has other taps than its neighbours in the tile; otherwise one by one.
  bool together() const {
    const size_t most = kernels_.gemm_rows, places = sides_.target_width;
    return g_.images > 1 && 4 * g_.images * tiles_of(places, most) >= 3 * places * tiles_of(g_.images, most);
  }

  void run_as_they_are() const {
    const size_t sets = together() ? tiles_of(g_.images, kernels_.gemm_rows) : g_.images;
    constexpr size_t kItems = 24;  // several for each of a few threads, as sets are few
    const size_t bands =
        context_.parallel.threads() == 1 ? 1 : std::max<size_t>(std::min(band_rows(), tiles_of(kItems, sets)), 1);
    const size_t items = sets * bands;
    const size_t chunks = std::min(context_.parallel.chunks(g_.flops(), kLeastFlops), items);
    context_.parallel.run(chunks, [&](size_t chunk) {
      for (size_t item = items * chunk / chunks; item < items * (chunk + 1) / chunks; ++item) {
        const size_t set = item / bands, band = item % bands;
        const size_t image = tile_begin(g_.images, sets, set), images = tile_begin(g_.images, sets, set + 1) - image;
        const GemmTask own = task_of_image(image);
        size_t taps_before = 0;
        for (size_t phase = 0; phase < phases_; ++phase) {
          const Walk walk = walk_of(phase, taps_before);
          walk_images(kernels_, sides_, walk, own, source_ + image * sides_.source_size(), images,
                      band_rows() * band / bands, std::min(band_rows() * (band + 1) / bands, walk.rows));
        }
      }
    });
  }

  void run_padded() const {
    const size_t rows = band_rows(), bands = bands_of(g_.images, rows), items = g_.images * bands;
    const size_t chunks = std::min({context_.parallel.chunks(g_.flops(), kLeastFlops), room_.copy_count, items});
    const size_t row_step = transposed_ ? 1 : g_.rows.stride;
    context_.parallel.run(chunks, [&](size_t chunk) {
      float* const copy = reinterpret_cast<float*>(scratch_ + room_.copies) + chunk * room_.copy_floats;
      for (size_t item = items * chunk / chunks; item < items * (chunk + 1) / chunks; ++item) {
        const size_t image = item / bands, band = item % bands;
        const size_t begin = rows * band / bands, end = rows * (band + 1) / bands;
        const float* source = source_ + image * sides_.source_size();
        size_t source_row = 0;
        if (room_.copy_floats != 0) {
          // All rows that the places of the band touch.
          source_row = begin * row_step;
          const size_t last = transposed_ ? reach_.rows.padded_size() + 1 - (rows - end)
                                          : (end - 1) * row_step + (g_.rows.kernel - 1) * g_.rows.dilation + 1;
          pad_rows(source, reach_.rows, reach_.columns, sides_.source_channels, source_row,
                   std::min(last, reach_.rows.padded_size()), copy);
          source = copy;
        }
        const GemmTask own = task_of_image(image);
        size_t taps_before = 0;
        for (size_t phase = 0; phase < phases_; ++phase) {
          const Walk walk = walk_of(phase, taps_before);
          walk_rows(kernels_, sides_, walk, own, source, pitch_, source_row, begin, std::min(end, walk.rows));
        }
      }
    });
  }

  const Context& context_;
  const KernelTable& kernels_;
  const ConvGeometry g_;
  const bool transposed_;
  const bool trims_;
  const Reach reach_;
  const Room room_;
  std::byte* const scratch_;
  const float* const source_;
  const float* const weight_;
  Sides sides_{};
  size_t pitch_ = 0;  // of the source, with its padding where it has that
  size_t phases_ = 1, column_phases_ = 1;
  GemmTask task_{};
};

template <bool transposed>
void run_conv(const Context& context, const Arguments& a) {
  if (ConvGeometry(a).images != 0) Convolution(context, a, transposed).run();
}

}  // namespace

constinit const Operation op_conv{"conv", ConvAt::all, false, check_conv<false>, scratch_conv<false>, run_conv<false>};
constinit const Operation op_conv_transposed{"conv_transposed", ConvAt::all,        false,
                                             check_conv<true>,  scratch_conv<true>, run_conv<true>};

}  // namespace carillon
