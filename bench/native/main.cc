// carillon_bench SUITE [--threads N] [--seconds S] [--only PATTERN] [--quick] [--bytes N]… [--rows N] [--peer LIBRARY
// PATH [KEY=VALUE]]… Prints lines of JSON; bench/native.ts reads them. Suites: roofline, gemm, elementwise, lookups,
// dropout, optimizers, probe.
#include <cstdlib>
#include <cstring>
#include <memory>

#include "bench.h"
#include "dispatch/dispatch.h"
#include "runtime/fp_environment.h"

namespace carillon::bench {
namespace {

using Run = void (*)(const Machine&, const Options&);

Run suite_of(const std::string& name) {
  const std::pair<const char*, Run> suites[] = {
      {"roofline", run_roofline}, {"gemm", run_gemm},       {"elementwise", run_elementwise},
      {"lookups", run_lookups},   {"dropout", run_dropout}, {"optimizers", run_optimizers},
      {"probe", run_probe}};
  for (const auto& [known, run] : suites) {
    if (name == known) return run;
  }
  die("there is no suite " + name);
}

double number_of(const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (end == text.c_str() || *end != '\0' || !(value > 0)) die("a positive number is wanted, not " + text);
  return value;
}

// Words from `at` on that belong to --peer.
PeerOption peer_of(const std::vector<std::string>& words, size_t& at) {
  if (at + 2 >= words.size()) die("--peer takes a library and a path");
  PeerOption peer{words[at + 1], words[at + 2]};
  at += 2;
  if (at + 1 < words.size() && words[at + 1].front() != '-') {
    const std::string& setting = words[++at];
    const size_t equals = setting.find('=');
    if (equals == std::string::npos) die("a setting is KEY=VALUE, not " + setting);
    peer.key = setting.substr(0, equals);
    peer.value = setting.substr(equals + 1);
  }
  return peer;
}

Options parse(const std::vector<std::string>& words) {
  Options options;
  if (words.empty()) die("a suite is wanted");
  options.suite = words[0];
  for (size_t at = 1; at < words.size(); ++at) {
    const std::string& word = words[at];
    if (word == "--peer") {
      options.peers.push_back(peer_of(words, at));
      continue;
    }
    if (word == "--quick") {
      options.quick = one_turn_only = true;
      continue;
    }
    if (at + 1 >= words.size()) die(word + " takes a value");
    const std::string& value = words[++at];
    if (word == "--threads") {
      options.threads = static_cast<unsigned>(number_of(value));
    } else if (word == "--seconds") {
      options.seconds = number_of(value);
    } else if (word == "--only") {
      options.only = value;
    } else if (word == "--rows") {
      options.rows = static_cast<size_t>(number_of(value));
    } else if (word == "--bytes") {
      options.bytes.push_back(static_cast<size_t>(number_of(value)));
    } else {
      die("there is no option " + word);
    }
  }
  return options;
}

}  // namespace
}  // namespace carillon::bench

int main(int count, char** arguments) {
  using namespace carillon;
  const bench::Options options = bench::parse({arguments + 1, arguments + count});
  const bench::Run run = bench::suite_of(options.suite);
  const KernelTable* table = default_table();
  if (table == nullptr) bench::die("CARILLON_ISA names no table that this machine can run");
  const FpEnvironment environment;
  ThreadPool pool;
  const Parallel parallel(pool, options.threads);
  run({*table, bench::probes_of(table->name), parallel}, options);
  return 0;
}
