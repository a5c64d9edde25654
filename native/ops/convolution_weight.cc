// Gradients of the weights of convolutions: products whose left side lies in segments, as convolution.cc tells, k the
// places of all images in chunks of kDepthChunk.
#include "../runtime/memory.h"
#include "convolution.h"
#include "gemm_run.h"

namespace carillon {
namespace {

struct ConvWeightAt {
  static constexpr Operands all{
      "x:f g:f dw:F",
      "images:d height:i width:i channels:i out_height:i out_width:i outputs:i kernel_height:i kernel_width:i "
      "stride_height:i stride_width:i dilation_height:i dilation_width:i before_height:i before_width:i groups:i",
      ""};
  static constexpr size_t x = all.view("x"), g = all.view("g"), dw = all.view("dw");
  static constexpr size_t images = all.integer("images");
};
static_assert(ConvWeightAt::images == kConvSizes);

// Sums of all chunks of k stand side by side up to here, so that threads share the work by chunks.
constexpr size_t kApartFloats = size_t{1} << 20;

struct WeightRoom {
  size_t segments, taps, copy, sums;  // bytes before each
  size_t bytes;
  size_t depth, chunks;
  size_t part;    // floats of the sums of a chunk
  size_t stride;  // of a depthwise convolution, from the sums of one tap to the next: whole vectors
  bool apart;
};

WeightRoom weight_room_of(const ConvGeometry& g, const KernelTable& kernels) {
  WeightRoom room{};
  room.depth = g.images * g.rows.small * g.columns.small;
  room.chunks = tiles_of(room.depth, kDepthChunk);
  room.stride = round_up(g.channels, kernels.gemm_columns);
  room.part = g.depthwise() ? g.taps() * room.stride : g.weights();
  room.apart = g.depthwise() || room.chunks * g.weights() <= kApartFloats;
  room.taps = round_up(g.images * g.rows.small * sizeof(ptrdiff_t), kAlignment);
  room.copy = room.taps + round_up((g.depthwise() ? g.taps() : 0) * sizeof(ptrdiff_t), kAlignment);
  const size_t copied = g.padded() ? g.images * g.rows.padded_size() * g.columns.padded_size() * g.channels : 0;
  room.sums = room.copy + round_up(copied * sizeof(float), kAlignment);
  // Of a smaller batch fewer chunks may be apart.
  const size_t most = room.chunks * room.part;
  const size_t sums = std::max(room.part, g.depthwise() ? most : std::min(most, kApartFloats));
  room.bytes = room.sums + round_up(sums * sizeof(float), kAlignment);
  return room;
}

void check_conv_weight(const Arguments& a, Requirements& r) {
  const ConvGeometry g(a);
  check_geometry(g, r);
  if (!r.error.empty()) return;
  r.need(ConvWeightAt::x, g.images, g.large_size());
  r.need(ConvWeightAt::g, g.images, g.small_size());
  r.need(ConvWeightAt::dw, g.outputs, g.weights() / g.outputs);
}

size_t scratch_conv_weight(const Arguments& a, const KernelTable& kernels) {
  return weight_room_of(ConvGeometry(a), kernels).bytes;
}

// Sums of a depthwise convolution, [taps, channels] a chunk: rows of whole vectors.
void sum_channels(const Context& context, const ConvGeometry& g, const WeightRoom& room, const float* x,
                  const float* flow, size_t pitch) {
  auto* const scratch = static_cast<std::byte*>(context.scratch);
  auto* const taps = reinterpret_cast<ptrdiff_t*>(scratch + room.taps);
  for (size_t tap = 0; tap < g.taps(); ++tap) {
    const size_t row = tap / g.columns.kernel * g.rows.dilation, column = tap % g.columns.kernel * g.columns.dilation;
    taps[tap] = static_cast<ptrdiff_t>(row * pitch + column * g.channels);
  }
  DepthwiseWeightTask whole{};
  whole.x = x;
  whole.segment_length = g.columns.small;
  whole.x_stride = g.columns.stride * g.channels;
  whole.g_stride = whole.channels = g.channels;
  whole.taps = taps;
  whole.tap_count = g.taps();
  whole.sums_stride = room.stride;
  const size_t pieces = std::min(room.chunks, context.parallel.chunks(g.flops(), kLeastFlops));
  context.parallel.run(pieces, [&](size_t piece) {
    for (size_t part = room.chunks * piece / pieces; part < room.chunks * (piece + 1) / pieces; ++part) {
      const size_t begin = part * kDepthChunk;
      DepthwiseWeightTask task = whole;
      task.segments = reinterpret_cast<const ptrdiff_t*>(scratch + room.segments) + begin / g.columns.small;
      task.segment_skip = begin % g.columns.small;
      task.g = flow + begin * g.channels;
      task.places = std::min(kDepthChunk, room.depth - begin);
      task.sums = reinterpret_cast<float*>(scratch + room.sums) + part * room.part;
      context.kernels.depthwise_weight_f32(task);
    }
  });
}

// Places that all rows of a product take before the next ones: a line of x and all of g of them stay in the first-level
// cache (32 KB or more). Divides kDepthChunk.
size_t places_together(const ConvGeometry& g) {
  constexpr size_t kFloats = 6144, kLine = 16, kLeast = 64;
  const size_t floats = g.outputs / g.groups + std::min(kLine, g.columns.stride * g.channels);
  size_t places = kDepthChunk;
  while (places > kLeast && places * floats > kFloats) places /= 2;
  return places;
}

// Sums of products, [groups, taps, inner, outer] a chunk, or of all of them. `x` lies in rows of `pitch` floats.
void sum_products(const Context& context, const ConvGeometry& g, const WeightRoom& room, const float* x,
                  const float* flow, size_t pitch) {
  const KernelTable& kernels = context.kernels;
  auto* const scratch = static_cast<std::byte*>(context.scratch);
  const auto* const segments = reinterpret_cast<const ptrdiff_t*>(scratch + room.segments);
  // Rows of the product: runs of neighbours of x, as many as the kernel's taps that lie side by side have channels.
  const size_t inner = g.channels / g.groups, outer = g.outputs / g.groups;
  const bool joined = g.groups == 1 && g.columns.dilation == 1;
  const size_t runs = g.rows.kernel * (joined ? 1 : g.columns.kernel);
  const size_t length = joined ? g.columns.kernel * inner : inner;
  const size_t tiles = tiles_of(length, kernels.gemm_rows), panels = tiles_of(outer, kernels.gemm_columns);
  const size_t units = g.groups * runs * tiles;
  auto* const sums = reinterpret_cast<float*>(scratch + room.sums);
  const size_t items = (room.apart ? room.chunks : 1) * units;
  const size_t pieces = std::min(items, context.parallel.chunks(g.flops(), kLeastFlops));
  const size_t group_floats = g.taps() * inner * outer;
  // Places [begin, end) of a part, where chains of the part go on; `count` tiles of a run.
  const auto add_places = [&](size_t part, size_t unit, size_t count, size_t begin, size_t end) {
    const size_t group = unit / (runs * tiles), run = unit / tiles % runs, tile = unit % tiles;
    const size_t row = joined ? run : run / g.columns.kernel, column = joined ? 0 : run % g.columns.kernel;
    GemmTask task{};
    task.left = x + row * g.rows.dilation * pitch + column * g.columns.dilation * g.channels + group * inner;
    task.left_row_stride = 1;
    task.left_depth_stride = g.columns.stride * g.channels;
    task.segments = segments + begin / g.columns.small;
    task.segment_length = g.columns.small;
    task.segment_skip = begin % g.columns.small;
    task.right = flow + begin * g.outputs + group * outer;
    task.right_stride = g.outputs;
    task.rows = length;
    task.columns = outer;
    task.k = end - begin;
    task.carried = room.apart && begin % kDepthChunk != 0;
    task.group = panels;
    task.c = sums + part * g.weights() + group * group_floats + run * length * outer;
    task.c_stride = outer;
    kernels.gemm_f32(task, tile, tile + count, 0, panels);
  };
  const size_t together = room.apart ? places_together(g) : room.depth;
  context.parallel.run(pieces, [&](size_t piece) {
    const size_t last = items * (piece + 1) / pieces;
    for (size_t item = items * piece / pieces; item < last;) {
      const size_t part = item / units, first = item % units, count = std::min(units - first, last - item);
      const size_t end = room.apart ? std::min((part + 1) * kDepthChunk, room.depth) : room.depth;
      for (size_t begin = part * kDepthChunk; begin < end; begin += together) {
        for (size_t unit = first; unit < first + count;) {
          const size_t side_by_side = std::min(tiles - unit % tiles, first + count - unit);
          add_places(part, unit, side_by_side, begin, std::min(end, begin + together));
          unit += side_by_side;
        }
      }
      item += count;
    }
  });
}

// Sums of each part, added in order, to [outputs, taps, inner].
void gather_parts(const Context& context, const ConvGeometry& g, const WeightRoom& room, float* sums, float* dw) {
  const size_t groups = g.depthwise() ? 1 : g.groups;
  const size_t outer = g.outputs / groups, stride = g.depthwise() ? room.stride : outer;
  const size_t lines = g.weights() / g.outputs;  // of a group, `outer` floats each
  const size_t parts = room.apart ? room.chunks : 1;
  const auto add = context.kernels.binary[static_cast<size_t>(Binary::add)].vector_vector;
  over_rows(context, groups * lines, outer * parts, [&](size_t begin, size_t end) {
    while (begin < end) {
      const size_t group = begin / lines, line = begin % lines, count = std::min(lines - line, end - begin);
      float* const from = sums + begin * stride;
      for (size_t part = 1; part < parts; ++part) {
        const float* const more = from + part * room.part;
        if (stride == outer) {
          add(from, more, from, count * outer);
          continue;
        }
        for (size_t i = 0; i < count; ++i) add(from + i * stride, more + i * stride, from + i * stride, outer);
      }
      context.kernels.transpose_f32(from, stride, dw + group * outer * lines + line, lines, outer, count);
      begin += count;
    }
  });
}

void run_conv_weight(const Context& context, const Arguments& a) {
  const KernelTable& kernels = context.kernels;
  const ConvGeometry g(a);
  const WeightRoom room = weight_room_of(g, kernels);
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
  if (g.depthwise()) {
    sum_channels(context, g, room, x, a.view<const float>(ConvWeightAt::g), pitch);
  } else {
    sum_products(context, g, room, x, a.view<const float>(ConvWeightAt::g), pitch);
  }
  gather_parts(context, g, room, reinterpret_cast<float*>(scratch + room.sums), dw);
}

}  // namespace

constinit const Operation op_conv_weight{"conv_weight",     ConvWeightAt::all,   false,
                                         check_conv_weight, scratch_conv_weight, run_conv_weight};

}  // namespace carillon
