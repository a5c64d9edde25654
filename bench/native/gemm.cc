// Suite `gemm`: products of the shapes on the standard input, ours and those of other libraries in turns.
// A line of the input: m n k transA transB prepacked (0 or 1) and, behind them, the name.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>

#include "bench.h"
#include "peers.h"

namespace carillon::bench {
namespace {

struct Shape {
  std::string name;
  size_t m, n, k;
  bool a_transposed, b_transposed, prepacked;

  double flops() const { return 2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k); }
};

std::vector<Shape> read_shapes() {
  std::vector<Shape> shapes;
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    Shape s{};
    words >> s.m >> s.n >> s.k >> s.a_transposed >> s.b_transposed >> s.prepacked;
    if (!std::getline(words >> std::ws, s.name)) die("a shape that cannot be read: " + line);
    shapes.push_back(std::move(s));
  }
  return shapes;
}

// The operands of a shape and their absolute values, which bound the error of any order of summation.
struct Operands {
  std::vector<float> a, b, c, ours, absolute_a, absolute_b, bound;

  explicit Operands(const Shape& s)
      : a(s.m * s.k),
        b(s.k * s.n),
        c(s.m * s.n),
        ours(s.m * s.n),
        absolute_a(s.m * s.k),
        absolute_b(s.k * s.n),
        bound(s.m * s.n) {
    fill_noise(a.data(), a.size());
    fill_noise(b.data(), b.size());
    std::transform(a.begin(), a.end(), absolute_a.begin(), [](float x) { return std::fabs(x); });
    std::transform(b.begin(), b.end(), absolute_b.begin(), [](float x) { return std::fabs(x); });
  }
  Product product(const Shape& s) {
    return {s.m, s.n, s.k, s.a_transposed, s.b_transposed, a.data(), b.data(), c.data()};
  }
};

std::function<void()> through_operation(const Machine& machine, const Product& p) {
  std::vector<void*> views{const_cast<float*>(p.a), const_cast<float*>(p.b), nullptr, p.c};
  std::vector<int64_t> ints{static_cast<int64_t>(p.m),
                            static_cast<int64_t>(p.n),
                            static_cast<int64_t>(p.k),
                            p.a_transposed ? 1 : 0,
                            p.b_transposed ? 1 : 0,
                            static_cast<int64_t>(Activation::identity),
                            0};
  auto call = std::make_shared<Call>(machine, op_gemm, std::move(views), std::move(ints));
  return [call] { (*call)(); };
}

// With b packed before, by the kernels themselves: panels cut among the threads where the product is worth it.
std::function<void()> prepacked(const Machine& machine, const Product& p) {
  const KernelTable& kernels = machine.kernels;
  const size_t width = kernels.gemm_columns;
  const size_t panels = (p.n + width - 1) / width;
  auto packed = std::make_shared<AlignedBuffer>(panels * width * p.k * sizeof(float));
  auto* data = reinterpret_cast<float*>(packed->data());
  kernels.gemm_pack_f32(p.b, p.k, p.n, p.k, 0, panels, data);
  GemmArguments g{};
  g.a = p.a;
  g.a_row_stride = p.a_transposed ? 1 : p.k;
  g.a_depth_stride = p.a_transposed ? p.m : 1;
  g.b = data;
  g.b_packed = true;
  g.c = p.c;
  g.c_stride = p.n;
  g.m = p.m;
  g.n = p.n;
  g.k = p.k;
  return [&machine, &kernels, g, packed, panels, width] {
    const size_t chunks = std::min(panels, machine.parallel.chunks(2 * g.m * g.n * g.k, size_t{1} << 19));
    machine.parallel.run(chunks, [&](size_t chunk) {
      const size_t begin = panels * chunk / chunks * width;
      const size_t end = std::min(g.n, panels * (chunk + 1) / chunks * width);
      kernels.gemm_f32(g, 0, g.m, begin, end);
    });
  };
}

std::function<void()> our_way(const Machine& machine, const Product& p, bool packed_before) {
  return packed_before && p.b_transposed ? prepacked(machine, p) : through_operation(machine, p);
}

// Whether c is the product: any order of k products and sums errs by less than k·2⁻²³·Σ|a||b|, ours too.
bool agrees(const Shape& s, const Operands& x) {
  const float unit = static_cast<float>(s.k + 1) * 0x1p-23f;
  for (size_t i = 0; i < x.c.size(); ++i) {
    if (!(std::fabs(x.c[i] - x.ours[i]) <= 2 * unit * x.bound[i])) return false;
  }
  return true;
}

struct LoadedPeer {
  std::string library;
  std::unique_ptr<Peer> peer;
};

// Sets what the best setting needs, loads, and says what was found.
std::vector<LoadedPeer> load_peers(const Options& options) {
  std::vector<LoadedPeer> peers;
  for (const PeerOption& option : options.peers) {
    if (!option.key.empty()) setenv(option.key.c_str(), option.value.c_str(), 1);
    std::string why;
    std::unique_ptr<Peer> peer = load_peer(option.library, option.path, why);
    Line line;
    line.text("peer", option.library).text("path", option.path);
    if (peer != nullptr) {
      peer->set_threads(static_cast<int>(options.threads));
      line.text("version", peer->version());
      peers.push_back({option.library, std::move(peer)});
    } else {
      line.text("error", why);
    }
    line.print();
    if (!option.key.empty()) unsetenv(option.key.c_str());
  }
  return peers;
}

// The ways of all peers whose result is right; the others are named on the error output and in `wrong`.
std::vector<PeerWay> right_ways(const std::vector<LoadedPeer>& peers, const Shape& s, Operands& x, std::string& wrong) {
  std::vector<PeerWay> right;
  for (const LoadedPeer& each : peers) {
    for (PeerWay& way : each.peer->ways(x.product(s), s.prepacked)) {
      std::fill(x.c.begin(), x.c.end(), std::nanf(""));
      way.run();
      if (agrees(s, x)) {
        right.push_back(std::move(way));
      } else {
        wrong += (wrong.empty() ? "" : ", ") + each.peer->version() + " " + way.way;
      }
    }
  }
  return right;
}

void measure_shape(const Machine& machine, const Options& options, const std::vector<LoadedPeer>& peers,
                   const Shape& s) {
  Operands x(s);
  Product absolute{s.m,           s.n, s.k, s.a_transposed, s.b_transposed, x.absolute_a.data(), x.absolute_b.data(),
                   x.bound.data()};
  through_operation(machine, absolute)();
  Product ours = x.product(s);
  ours.c = x.ours.data();
  our_way(machine, ours, s.prepacked)();

  std::string wrong;
  const std::vector<PeerWay> ways = right_ways(peers, s, x, wrong);
  double peak_flops = 0;
  std::vector<Entrant> entrants;
  entrants.push_back({our_way(machine, x.product(s), s.prepacked)});
  entrants.push_back(fma_entrant(machine, peak_flops));
  for (const PeerWay& way : ways) entrants.push_back({way.run});
  const Times times = take_turns(entrants, {.seconds = options.seconds_or(0.6), .pause = machine.pause()});

  // The best way of a library is the one that leaves us the smallest ratio.
  std::map<std::string, std::pair<double, size_t>> best;
  for (size_t i = 0; i < ways.size(); ++i) {
    const double ratio = times.ratio(i + 2, 0);
    const auto found = best.find(ways[i].library);
    if (found == best.end() || ratio < found->second.first) best[ways[i].library] = {ratio, i};
  }
  Line rates, ratios, used;
  for (const auto& [library, chosen] : best) {
    rates.number(library, s.flops() / times.median(chosen.second + 2) * 1e-9);
    ratios.number(library, chosen.first);
    used.text(library, ways[chosen.second].way);
  }
  Line()
      .text("name", s.name)
      .number("m", static_cast<double>(s.m))
      .number("n", static_cast<double>(s.n))
      .number("k", static_cast<double>(s.k))
      .truth("transA", s.a_transposed)
      .truth("transB", s.b_transposed)
      .number("threads", machine.parallel.threads())
      .truth("prepacked", s.prepacked)
      .number("gflops", s.flops() / times.median(0) * 1e-9)
      .raw("peers", rates.json())
      .raw("ratios", ratios.json())
      .raw("ways", used.json())
      .number("shareOfPeak", s.flops() / peak_flops * times.ratio(1, 0))
      .text("wrong", wrong)
      .print();
}

}  // namespace

void run_gemm(const Machine& machine, const Options& options) {
  const std::vector<LoadedPeer> peers = load_peers(options);
  for (const Shape& shape : read_shapes()) measure_shape(machine, options, peers, shape);
}

// GFLOP/s of the given library at its present setting: the geometric mean over a small and a middle product.
void run_probe(const Machine& machine, const Options& options) {
  const std::vector<LoadedPeer> peers = load_peers(options);
  const Shape shapes[] = {{"small", 32, 256, 784, false, true, false}, {"middle", 512, 512, 512, false, false, false}};
  double logarithms = 0;
  for (const Shape& s : shapes) {
    if (peers.empty()) return;
    Operands x(s);
    std::vector<PeerWay> ways = peers.front().peer->ways(x.product(s), false);
    const Times times = take_turns({{ways.front().run}}, {.seconds = options.seconds_or(0.1)});
    logarithms += std::log(s.flops() / times.median(0) * 1e-9);
  }
  Line().number("threads", machine.parallel.threads()).number("gflops", std::exp(logarithms / 2)).print();
}

}  // namespace carillon::bench
