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

constexpr int64_t kPackedBefore = 2;  // what op_gemm takes for b that gemm_pack made

std::function<void()> multiplication(const Machine& machine, const Product& p, const float* b, int64_t form_of_b) {
  std::vector<void*> views{const_cast<float*>(p.a), const_cast<float*>(b), nullptr, p.c};
  std::vector<int64_t> ints{static_cast<int64_t>(p.m),
                            static_cast<int64_t>(p.n),
                            static_cast<int64_t>(p.k),
                            p.a_transposed ? 1 : 0,
                            form_of_b,
                            static_cast<int64_t>(Activation::identity),
                            0};
  auto call = std::make_shared<Call>(machine, op_gemm, std::move(views), std::move(ints));
  return [call] { (*call)(); };
}

// Where the row says so, b is packed here, outside of the time.
std::function<void()> our_way(const Machine& machine, const Product& p, bool prepacked) {
  if (!prepacked) return multiplication(machine, p, p.b, p.b_transposed ? 1 : 0);
  const size_t columns = (p.n + kPackedColumns - 1) / kPackedColumns * kPackedColumns;
  auto packed = std::make_shared<AlignedBuffer>(columns * p.k * sizeof(float));
  auto* data = reinterpret_cast<float*>(packed->data());
  Call(machine, op_gemm_pack, {const_cast<float*>(p.b), data},
       {static_cast<int64_t>(p.n), static_cast<int64_t>(p.k), p.b_transposed ? 1 : 0})();
  const std::function<void()> run = multiplication(machine, p, data, kPackedBefore);
  return [run, packed] { run(); };
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

// The ways of all peers whose result is right, with one thread and with all: a library may be better alone. The others
// are named in `wrong`.
std::vector<PeerWay> right_ways(const Machine& machine, const std::vector<LoadedPeer>& peers, const Shape& s,
                                Operands& x, std::string& wrong) {
  std::vector<PeerWay> right;
  const int most = static_cast<int>(machine.parallel.threads());
  for (const LoadedPeer& each : peers) {
    Peer* const peer = each.peer.get();
    for (int threads = most;; threads = 1) {
      peer->set_threads(threads);
      for (PeerWay& way : peer->ways(x.product(s), s.prepacked)) {
        std::fill(x.c.begin(), x.c.end(), std::nanf(""));
        way.run();
        if (!agrees(s, x)) {
          wrong += (wrong.empty() ? "" : ", ") + peer->version() + " " + way.way;
          continue;
        }
        if (most > 1) way.prepare = [peer, threads] { peer->set_threads(threads); };
        if (threads < most) way.way += ", 1 thread";
        right.push_back(std::move(way));
      }
      if (threads == 1) break;
    }
  }
  return right;
}

void measure_shape(const Machine& machine, const Options& options, const std::vector<LoadedPeer>& peers,
                   const Shape& s) {
  Operands x(s);
  Product absolute{s.m,           s.n, s.k, s.a_transposed, s.b_transposed, x.absolute_a.data(), x.absolute_b.data(),
                   x.bound.data()};
  our_way(machine, absolute, false)();
  Product ours = x.product(s);
  ours.c = x.ours.data();
  our_way(machine, ours, s.prepacked)();

  std::string wrong;
  const std::vector<PeerWay> ways = right_ways(machine, peers, s, x, wrong);
  double peak_flops = 0;
  std::vector<Entrant> entrants;
  entrants.push_back({our_way(machine, x.product(s), s.prepacked)});
  entrants.push_back(fma_entrant(machine, peak_flops));
  for (const PeerWay& way : ways) entrants.push_back({.run = way.run, .prepare = way.prepare});
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
