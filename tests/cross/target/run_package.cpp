// SPDX-License-Identifier: Apache-2.0
// Feeds tokens to a package and writes every position's logits, f32[tokens, vocab], to standard output.
//
//   run_package PACKAGE STEP TOKEN...     STEP tokens at a time go through the cache; 0: all at once
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <vector>

#include "runtime/session.h"

namespace {

void run(const char* package, std::size_t step, std::span<const std::int32_t> tokens) {
  const auto session = strata::runtime::Session::open(package, {.threads = 2, .verify = true});
  const auto vocabulary = static_cast<std::size_t>(session->manifest().vocab_size);
  while (!tokens.empty()) {
    const std::size_t count = step == 0 ? tokens.size() : std::min(step, tokens.size());
    session->feed_all(tokens.first(count), [&](std::span<const float> rows, std::int64_t number) {
      std::fwrite(rows.data(), sizeof(float), static_cast<std::size_t>(number) * vocabulary, stdout);
    });
    tokens = tokens.subspan(count);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: run_package PACKAGE STEP TOKEN...\n");
    return 2;
  }
  std::vector<std::int32_t> tokens;
  for (int i = 3; i < argc; ++i) tokens.push_back(std::atoi(argv[i]));
  try {
    run(argv[1], static_cast<std::size_t>(std::atoll(argv[2])), tokens);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "run_package: error: %s\n", error.what());
    return 1;
  }
  return std::fflush(stdout) == 0 ? 0 : 1;
}
