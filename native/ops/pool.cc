// Pools of images: the largest element of a window, or the mean, and their gradients.
#include "operation.h"
#include "windows.h"

namespace carillon {
namespace {

// `picked`, of the shape of x: y is its element where the first largest of x stands; absent: x itself.
struct MaxPoolAt {
  static constexpr Operands all{"x:f picked:f? y:F",
                                "images:d height:i width:i channels:i out_height:i out_width:i kernel_height:i "
                                "kernel_width:i stride_height:i stride_width:i before_height:i before_width:i",
                                ""};
  static constexpr size_t x = all.view("x"), picked = all.view("picked"), y = all.view("y");
  static constexpr size_t images = all.integer("images");
};
// `gated`: of x that is the output of a relu, what flows to the relu's input.
struct MaxPoolGradientAt {
  static constexpr Operands all{"x:f g:f dx:F",
                                "images:d height:i width:i channels:i out_height:i out_width:i kernel_height:i "
                                "kernel_width:i stride_height:i stride_width:i before_height:i before_width:i gated:b?",
                                ""};
  static constexpr size_t x = all.view("x"), g = all.view("g"), dx = all.view("dx");
  static constexpr size_t gated = all.integer("gated");
};
struct AveragePoolAt {
  static constexpr Operands all{"x:f y:F",
                                "images:d height:i width:i channels:i out_height:i out_width:i kernel_height:i "
                                "kernel_width:i stride_height:i stride_width:i before_height:i before_width:i "
                                "count_padding:b?",
                                ""};
  static constexpr size_t x = all.view("x"), y = all.view("y");
  static constexpr size_t count_padding = all.integer("count_padding");
};
struct AveragePoolGradientAt {
  static constexpr Operands all{"g:f dx:F", AveragePoolAt::all.ints, ""};
  static constexpr size_t g = all.view("g"), dx = all.view("dx");
};

struct PoolGeometry {
  size_t images, channels;
  WindowAxis rows, columns;

  explicit PoolGeometry(const Arguments& a) {
    SizeReader read(a, MaxPoolAt::images);
    images = read.one();
    read.two(&WindowAxis::large, rows, columns);
    channels = read.one();
    read.two(&WindowAxis::small, rows, columns);
    read.two(&WindowAxis::kernel, rows, columns);
    read.two(&WindowAxis::stride, rows, columns);
    read.two(&WindowAxis::before, rows, columns);
    rows.dilation = columns.dilation = 1;
  }
  size_t large_size() const { return rows.large * columns.large * channels; }
  size_t small_size() const { return rows.small * columns.small * channels; }
  // Whether every element lies in exactly one window.
  bool apart() const {
    const auto tiled = [](const WindowAxis& axis) {
      return axis.before == 0 && axis.stride == axis.kernel && axis.large == axis.small * axis.stride;
    };
    return tiled(rows) && tiled(columns);
  }
  PoolTask task() const {
    PoolTask task{};
    task.height = rows.large;
    task.width = columns.large;
    task.channels = channels;
    task.out_width = columns.small;
    task.kernel_height = rows.kernel;
    task.kernel_width = columns.kernel;
    task.stride_height = rows.stride;
    task.stride_width = columns.stride;
    task.before_height = rows.before;
    task.before_width = columns.before;
    return task;
  }
};

// Every window has an element: the first by less padding than taps, the last by where it begins.
void check_pool(const PoolGeometry& g, Requirements& r) {
  check_axis(g.rows, r);
  check_axis(g.columns, r);
  if (g.channels < 1 || g.channels > kMostSize) r.fail("a pool of nothing");
  if (!r.error.empty()) return;
  for (const WindowAxis& axis : {g.rows, g.columns}) {
    if (axis.before >= axis.kernel || (axis.small - 1) * axis.stride >= axis.large + axis.before) {
      r.fail("a window without elements");
    }
  }
  bounded({g.rows.kernel, g.columns.kernel}, r);
  bounded({g.rows.large, g.columns.large, g.channels}, r);
  bounded({g.rows.small, g.columns.small, g.channels}, r);
}

void check_max_pool(const Arguments& a, Requirements& r) {
  const PoolGeometry g(a);
  check_pool(g, r);
  if (!r.error.empty()) return;
  r.need(MaxPoolAt::x, g.images, g.large_size());
  r.need(MaxPoolAt::picked, g.images, g.large_size());
  r.need(MaxPoolAt::y, g.images, g.small_size());
}

void check_max_pool_gradient(const Arguments& a, Requirements& r) {
  const PoolGeometry g(a);
  check_pool(g, r);
  if (!r.error.empty()) return;
  r.need(MaxPoolGradientAt::x, g.images, g.large_size());
  r.need(MaxPoolGradientAt::g, g.images, g.small_size());
  r.need(MaxPoolGradientAt::dx, g.images, g.large_size());
}

void check_average_pool(const Arguments& a, Requirements& r) {
  const PoolGeometry g(a);
  check_pool(g, r);
  if (!r.error.empty()) return;
  r.need(AveragePoolAt::x, g.images, g.large_size());
  r.need(AveragePoolAt::y, g.images, g.small_size());
}

void check_average_pool_gradient(const Arguments& a, Requirements& r) {
  const PoolGeometry g(a);
  check_pool(g, r);
  if (!r.error.empty()) return;
  r.need(AveragePoolGradientAt::g, g.images, g.small_size());
  r.need(AveragePoolGradientAt::dx, g.images, g.large_size());
}

// Rows of places of all images.
template <typename Kernel>
void run_forward(const Context& context, const PoolGeometry& g, const PoolTask& whole, Kernel kernel) {
  over_rows(context, g.images * g.rows.small, g.columns.small * g.channels * g.rows.kernel * g.columns.kernel,
            [&](size_t begin, size_t end) {
              while (begin < end) {
                const size_t image = begin / g.rows.small, row = begin % g.rows.small;
                const size_t until = std::min(g.rows.small, row + end - begin);
                PoolTask task = whole;
                task.x = whole.x + image * g.large_size();
                if (whole.picked != nullptr) task.picked = whole.picked + image * g.large_size();
                task.y = whole.y + image * g.small_size();
                kernel(task, row, until);
                begin += until - row;
              }
            });
}

// Images, as windows of one may overlap.
template <typename Kernel>
void run_gradient(const Context& context, const PoolGeometry& g, const PoolTask& whole, Kernel kernel) {
  over_rows(context, g.images, g.large_size(), [&](size_t begin, size_t end) {
    for (size_t image = begin; image < end; ++image) {
      PoolTask task = whole;
      if (whole.x != nullptr) task.x = whole.x + image * g.large_size();
      task.g = whole.g + image * g.small_size();
      task.y = whole.y + image * g.large_size();
      if (!task.apart) std::memset(task.y, 0, g.large_size() * sizeof(float));
      kernel(task, 0, g.rows.small);
    }
  });
}

void run_max_pool(const Context& context, const Arguments& a) {
  const PoolGeometry g(a);
  PoolTask task = g.task();
  task.x = a.view<const float>(MaxPoolAt::x);
  task.picked = a.view<const float>(MaxPoolAt::picked);
  task.y = a.view<float>(MaxPoolAt::y);
  run_forward(context, g, task,
              task.picked == nullptr ? context.kernels.max_pool_f32 : context.kernels.max_pool_picked_f32);
}

void run_max_pool_gradient(const Context& context, const Arguments& a) {
  const PoolGeometry g(a);
  PoolTask task = g.task();
  task.x = a.view<const float>(MaxPoolGradientAt::x);
  task.g = a.view<const float>(MaxPoolGradientAt::g);
  task.y = a.view<float>(MaxPoolGradientAt::dx);
  task.gated = a.ints[MaxPoolGradientAt::gated] != 0;
  task.apart = g.apart();
  run_gradient(context, g, task, context.kernels.max_pool_gradient_f32);
}

void run_average_pool(const Context& context, const Arguments& a) {
  const PoolGeometry g(a);
  PoolTask task = g.task();
  task.count_padding = a.ints[AveragePoolAt::count_padding] != 0;
  task.x = a.view<const float>(AveragePoolAt::x);
  task.y = a.view<float>(AveragePoolAt::y);
  run_forward(context, g, task, context.kernels.average_pool_f32);
}

void run_average_pool_gradient(const Context& context, const Arguments& a) {
  const PoolGeometry g(a);
  PoolTask task = g.task();
  task.count_padding = a.ints[AveragePoolAt::count_padding] != 0;
  task.g = a.view<const float>(AveragePoolGradientAt::g);
  task.y = a.view<float>(AveragePoolGradientAt::dx);
  run_gradient(context, g, task, context.kernels.average_pool_gradient_f32);
}

}  // namespace

constinit const Operation op_max_pool{"max_pool", MaxPoolAt::all, false, check_max_pool, nullptr, run_max_pool};
constinit const Operation op_max_pool_gradient{
    "max_pool_gradient", MaxPoolGradientAt::all, false, check_max_pool_gradient, nullptr, run_max_pool_gradient};
constinit const Operation op_average_pool{"average_pool", AveragePoolAt::all, false, check_average_pool,
                                          nullptr,        run_average_pool};
constinit const Operation op_average_pool_gradient{
    "average_pool_gradient",  AveragePoolGradientAt::all, false, check_average_pool_gradient, nullptr,
    run_average_pool_gradient};

}  // namespace carillon
