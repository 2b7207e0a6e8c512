// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <chrono>
#include <ctime>
#include <memory>
#include <random>

#include "base/error.h"
#include "cli/bench_report.h"
#include "cli/command.h"
#include "cli/model_source.h"
#include "cli/options.h"
#include "cli/signals.h"
#include "cli/version.h"
#include "package/package.h"

namespace strata::cli {
namespace {

struct BenchOptions {
  std::string model, prompts = "512", generates = "128", depths = "0", threads, format = "md";
  int repetitions = 5;
};

// Exactly one of prompt and generate is positive.
struct Test {
  std::int64_t prompt = 0, generate = 0, depth = 0;
  std::int64_t context() const { return prompt + generate + depth; }
};

constexpr std::int64_t kMaxTokens = std::int64_t{1} << 24;
constexpr std::int64_t kMaxThreads = 4096;

// For each depth all prompts, then all generations; a size of 0 skips its test.
std::vector<Test> list_tests(const BenchOptions& options) {
  auto sizes = [](const std::string& text, const char* option) {
    return parse_integer_list(text, option, 0, kMaxTokens);
  };
  auto prompts = sizes(options.prompts, "-p"), generates = sizes(options.generates, "-n");
  std::vector<Test> tests;
  for (auto depth : sizes(options.depths, "-d")) {
    for (auto n : prompts) {
      if (n > 0) tests.push_back({.prompt = n, .depth = depth});
    }
    for (auto n : generates) {
      if (n > 0) tests.push_back({.generate = n, .depth = depth});
    }
  }
  if (tests.empty()) throw usage_error("nothing to measure: -p and -n are 0", "give a positive -p or -n");
  return tests;
}

std::int64_t largest_context(const std::vector<Test>& tests) {
  std::int64_t largest = 0;
  for (const auto& test : tests) largest = std::max(largest, test.context());
  return largest;
}

std::string utc_now() {
  std::time_t now = std::time(nullptr);
  std::tm parts = {};
  gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

// The most tokens that one call of the model takes: the largest range of its "forward" entries' sequence.
std::int64_t batch_size(const package::Manifest& manifest) {
  std::int64_t largest = 0;
  for (const auto& entry : manifest.entries) {
    auto range = entry.ranges.find("seq");
    if (range != entry.ranges.end()) largest = std::max(largest, range->second.max);
  }
  return largest;
}

// The element types of the key/value cache: its states, keys first.
std::pair<std::string, std::string> cache_types(const package::Manifest& manifest) {
  std::vector<std::string> types;
  for (const auto& entry : manifest.entries) {
    for (const auto& parameter : entry.parameters) {
      if (parameter.kind == package::Parameter::Kind::kState) types.emplace_back(dtype_name(parameter.dtype));
    }
  }
  if (types.empty()) return {"", ""};
  return {types.front(), types.size() > 1 ? types[1] : types.front()};
}

// Feeds random tokens; the values don't matter for speed, and one seed makes runs alike.
class TestRunner {
 public:
  explicit TestRunner(runtime::Session& session) : session_(session) {}

  // Nanoseconds of each repetition, after one warm-up. The cache is filled to the depth outside of the time.
  std::vector<std::int64_t> run(const Test& test, int repetitions) {
    session_.rewind(0);
    if (test.depth > 0) feed_at_once(test.depth);
    std::vector<std::int64_t> samples;
    for (int i = -1; i < repetitions; ++i) {
      session_.rewind(test.depth);
      auto start = std::chrono::steady_clock::now();
      if (test.prompt > 0) feed_at_once(test.prompt);
      feed_singly(test.generate);
      auto time = std::chrono::steady_clock::now() - start;
      if (i >= 0) samples.push_back(std::max<std::int64_t>(1, std::chrono::nanoseconds(time).count()));
    }
    return samples;
  }

 private:
  void feed_at_once(std::int64_t count) {
    tokens_.resize(static_cast<std::size_t>(count));
    for (auto& token : tokens_) token = random_token();
    session_.feed(tokens_, {}, [] { return pending_signal() != 0; });
    stop_if_interrupted();
  }

  void feed_singly(std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) {
      std::int32_t token = random_token();
      session_.feed({&token, 1});
      stop_if_interrupted();
    }
  }

  std::int32_t random_token() {
    return static_cast<std::int32_t>(random_() % static_cast<std::uint64_t>(session_.manifest().vocab_size));
  }

  runtime::Session& session_;
  std::mt19937_64 random_{1};
  std::vector<std::int32_t> tokens_;
};

BenchResult describe_run(const runtime::Session& session, const BenchOptions& options, const Test& test) {
  const auto& manifest = session.manifest();
  auto [type_k, type_v] = cache_types(manifest);
  return {.model_filename = options.model,
          .model_type = manifest.model_type,
          .model_size = manifest.weight_bytes,
          .model_parameters = manifest.parameters,
          .type_k = type_k,
          .type_v = type_v,
          .batch = batch_size(manifest),
          .threads = session.threads(),
          .prompt = test.prompt,
          .generate = test.generate,
          .depth = test.depth,
          .test_time = utc_now(),
          .samples_ns = {}};
}

void check_context(std::int64_t context, const std::filesystem::path& path) {
  std::int64_t limit = package::Package::open(path).manifest().max_context;
  if (context > limit) {
    throw usage_error(
        "the tests need a context of " + std::to_string(context) + " tokens, the model has " + std::to_string(limit),
        "lower -p, -n or -d");
  }
}

void bench(const BenchOptions& options, Console& console) {
  auto tests = list_tests(options);
  auto threads = options.threads.empty() ? std::vector<std::int64_t>{0}
                                         : parse_integer_list(options.threads, "-t", 1, kMaxThreads);
  auto path = compiled_package(console, options.model, static_cast<int>(threads.front()));
  std::int64_t context = largest_context(tests);
  check_context(context, path);

  BenchReport report(options.format);
  console.out(report.begin());
  console.flush();
  for (auto count : threads) {
    auto session = runtime::Session::open(path, {.threads = static_cast<int>(count), .context = context});
    TestRunner runner(*session);
    for (const auto& test : tests) {
      BenchResult result = describe_run(*session, options, test);
      console.transient("measuring " + result.test_name());
      result.samples_ns = runner.run(test, options.repetitions);
      console.out(report.row(result));
      console.flush();
    }
  }
  console.out(report.end());
  console.info(std::string("build: strata ") + kVersion + " (" + kBuildCommit + ")");
}

}  // namespace

Action declare_bench(CLI::App& app, Console& console) {
  auto options = std::make_shared<BenchOptions>();
  add_model(app, options->model);
  app.add_option("-p,--n-prompt", options->prompts, "Sizes of prompts such as 128,512; 0: none (default: 512)");
  app.add_option("-n,--n-gen", options->generates, "Numbers of generated tokens; 0: none (default: 128)");
  app.add_option("-d,--n-depth", options->depths, "Tokens in the cache before a test (default: 0)");
  app.add_option("-t,--threads", options->threads, "Numbers of threads such as 1,2 (default: all)");
  app.add_option("-r,--repetitions", options->repetitions, "Times each test is measured")
      ->check(integer_in(1, 1000000));
  app.add_option("-o,--output", options->format, "Format: md, csv, json or jsonl")
      ->check(one_of({"md", "csv", "json", "jsonl"}));
  return [options, &console] { bench(*options, console); };
}

}  // namespace strata::cli
