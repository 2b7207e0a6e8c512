// SPDX-License-Identifier: Apache-2.0
// Sequences that decode side by side: their rows in one call against one sequence after the other.
//
//   build/release/bench/batching PACKAGE [-n SEQUENCES] [-t THREADS] [-p TOKENS] [-g STEPS]
//
// PACKAGE is compiled for several sequences (compile --workload batch=8). Each sequence reads a prompt of its own
// length around TOKENS and then takes STEPS steps both ways, in turns; printed are the tokens per second of all
// sequences together, and how far the logits of the two ways are apart at most (the difference's norm by the norm).
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "runtime/session.h"

namespace {

using namespace strata;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

double distance(std::span<const float> a, std::span<const float> b) {
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference += std::pow(static_cast<double>(a[i]) - static_cast<double>(b[i]), 2);
    norm += std::pow(static_cast<double>(b[i]), 2);
  }
  return std::sqrt(difference / norm);
}

struct Options {
  std::string package;
  int sequences = 8;
  int threads = 0;
  std::int64_t prompt = 256;
  std::int64_t steps = 16;
};

void run(const Options& options) {
  const auto session = runtime::Session::open(
      options.package,
      {.threads = options.threads, .context = 2 * options.prompt + options.steps, .sequences = options.sequences});
  std::mt19937 random(1);
  const auto vocabulary = static_cast<std::uint32_t>(session->manifest().vocab_size);
  const auto token = [&] { return static_cast<std::int32_t>(random() % vocabulary); };
  std::vector<std::int64_t> lengths;
  for (int i = 0; i < options.sequences; ++i) {
    std::vector<std::int32_t> prompt(
        static_cast<std::size_t>(options.prompt / 2 + options.prompt * i / options.sequences + 1));
    std::ranges::generate(prompt, token);
    session->select(i);
    session->feed_all(prompt, {});
    lengths.push_back(session->position());
  }
  double together_s = 0, alone_s = 0, apart = 0;
  for (std::int64_t step = 0; step < options.steps; ++step) {
    std::vector<std::int32_t> tokens(static_cast<std::size_t>(options.sequences));
    std::ranges::generate(tokens, token);
    std::vector<runtime::Session::Feed> feeds;
    for (int i = 0; i < options.sequences; ++i) feeds.push_back({i, {&tokens[static_cast<std::size_t>(i)], 1}, true});
    std::vector<std::vector<float>> logits(feeds.size());
    auto start = Clock::now();
    session->step(feeds,
                  [&](std::size_t feed, std::span<const float> row) { logits[feed].assign(row.begin(), row.end()); });
    together_s += seconds_since(start);
    for (int i = 0; i < options.sequences; ++i) {
      session->select(i);
      session->rewind(lengths[static_cast<std::size_t>(i)]++);
      start = Clock::now();
      const auto row = session->feed({&tokens[static_cast<std::size_t>(i)], 1});
      alone_s += seconds_since(start);
      apart = std::max(apart, distance(logits[static_cast<std::size_t>(i)], row));
    }
  }
  const auto made = static_cast<double>(options.steps * options.sequences);
  std::printf(
      "%d sequences, %d threads: together %.2f tokens/s, one after the other %.2f tokens/s, %.2f times; logits apart "
      "%.2g\n",
      options.sequences, session->threads(), made / together_s, made / alone_s, alone_s / together_s, apart);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Sequences that decode side by side");
  app.add_option("package", options.package)->required();
  app.add_option("-n", options.sequences);
  app.add_option("-t", options.threads);
  app.add_option("-p", options.prompt);
  app.add_option("-g", options.steps);
  CLI11_PARSE(app, argc, argv);
  try {
    run(options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "batching: %s\n", error.what());
    return 1;
  }
}
