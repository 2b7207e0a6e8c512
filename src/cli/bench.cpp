// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <chrono>
#include <ctime>
#include <memory>
#include <optional>

#include "base/error.h"
#include "cli/bench_report.h"
#include "cli/caches.h"
#include "cli/command.h"
#include "cli/model_source.h"
#include "cli/op_timing.h"
#include "cli/options.h"
#include "cli/profile_report.h"
#include "cli/random_feed.h"
#include "cli/version.h"
#include "package/package.h"

namespace strata::cli {
namespace {

struct BenchOptions {
  ModelSource model;
  std::string prompts = "512", generates = "128", depths = "0", threads, format = "md";
  int repetitions = 5;
  bool profile = false, verify = false, fixed_team = false;
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

// Nanoseconds of each repetition, after one warm-up. The cache is filled to the depth outside of the time. A profile,
// if given, is of the repetitions alone.
std::vector<std::int64_t> run(runtime::Session& session, const Test& test, int repetitions, runtime::Profile* profile) {
  RandomFeed feed(session);
  session.rewind(0);
  if (test.depth > 0) feed.at_once(test.depth);
  std::vector<std::int64_t> samples;
  for (int i = -1; i < repetitions; ++i) {
    session.rewind(test.depth);
    if (i == 0) session.set_profile(profile);
    auto start = std::chrono::steady_clock::now();
    if (test.prompt > 0) feed.at_once(test.prompt);
    feed.singly(test.generate);
    auto time = std::chrono::steady_clock::now() - start;
    if (i >= 0) samples.push_back(std::max<std::int64_t>(1, std::chrono::nanoseconds(time).count()));
  }
  session.set_profile(nullptr);
  return samples;
}

BenchResult describe_run(const runtime::Session& session, const BenchOptions& options, int threads, const Test& test) {
  const auto& manifest = session.manifest();
  const std::vector<DType> caches = cache_types(manifest);
  const auto type_of = [&](std::size_t i) { return i < caches.size() ? std::string(dtype_name(caches[i])) : ""; };
  return {.model_filename = options.model.path,
          .model_type = manifest.model_type,
          .model_size = manifest.weight_bytes,
          .model_parameters = manifest.parameters,
          .type_k = type_of(0),
          .type_v = type_of(1),
          .batch = batch_size(manifest),
          .threads = threads > 0 ? threads : session.threads(),
          .prompt = test.prompt,
          .generate = test.generate,
          .depth = test.depth,
          .test_time = utc_now(),
          .samples_ns = {},
          .ops = {}};
}

// Before the table begins.
void check_package(const std::filesystem::path& path, bool verify, std::int64_t context) {
  std::int64_t limit = package::Package::open_verified(path, verify).manifest().max_context;
  if (context > limit) {
    throw usage_error(
        "the tests need a context of " + std::to_string(context) + " tokens, the model has " + std::to_string(limit),
        "lower -p, -n or -d");
  }
}

void measure(runtime::Session& session, const Test& test, int repetitions, const std::optional<plan::Plan>& plan,
             BenchResult& result) {
  if (!plan) {
    result.samples_ns = run(session, test, repetitions, nullptr);
    return;
  }
  runtime::Profile profile = make_profile(*plan);
  result.samples_ns = run(session, test, repetitions, &profile);
  result.ops = op_timings(*plan, profile, session.threads());
}

void bench(const BenchOptions& options, Console& console) {
  if (options.profile && options.format == "csv") {
    throw usage_error("a profile doesn't fit csv", "give -o md, json or jsonl");
  }
  auto tests = list_tests(options);
  auto threads = options.threads.empty() ? std::vector<std::int64_t>{0}
                                         : parse_integer_list(options.threads, "-t", 1, kMaxThreads);
  auto path = compiled_package(console, options.model, static_cast<int>(threads.front()), options.verify);
  std::int64_t context = largest_context(tests);
  check_package(path, options.verify, context);

  std::optional<plan::Plan> plan;
  if (options.profile) plan = package_plan(path);

  BenchReport report(options.format);
  console.out(report.begin());
  console.flush();
  if (!options.fixed_team) warn_of_threads(console, std::ranges::max(threads));
  for (auto count : threads) {
    const int asked = static_cast<int>(count);
    auto session = open_package(path, {.threads = asked, .context = context, .fixed_team = options.fixed_team});
    for (const auto& test : tests) {
      BenchResult result = describe_run(*session, options, asked, test);
      console.transient("measuring " + result.test_name());
      measure(*session, test, options.repetitions, plan, result);
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
  add_model_to_run(app, options->model);
  add_verify(app, options->verify);
  app.add_option("-p,--n-prompt", options->prompts, "Sizes of prompts such as 128,512; 0: none (default: 512)");
  app.add_option("-n,--n-gen", options->generates, "Numbers of generated tokens; 0: none (default: 128)");
  app.add_option("-d,--n-depth", options->depths, "Tokens in the cache before a test (default: 0)");
  app.add_option("-t,--threads", options->threads, "Numbers of threads such as 1,2 (default: all)");
  add_fixed_team(app, options->fixed_team);
  app.add_option("-r,--repetitions", options->repetitions, "Times each test is measured")
      ->check(integer_in(1, 1000000));
  app.add_option("-o,--output", options->format, "Format: md, csv, json or jsonl")
      ->check(one_of({"md", "csv", "json", "jsonl"}));
  app.add_flag("--profile", options->profile, "Also show the time of every op against its prediction");
  return [options, &console] { bench(*options, console); };
}

}  // namespace strata::cli
