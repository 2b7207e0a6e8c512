// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cli/op_timing.h"

namespace strata::cli {

// One measured test: either a prompt of `prompt` tokens or `generate` single tokens, after `depth` tokens.
struct BenchResult {
  std::string model_filename, model_type;
  std::int64_t model_size = 0, model_parameters = 0;  // bytes, elements
  std::string type_k, type_v;                         // of the key/value cache
  std::int64_t batch = 0;                             // tokens that one call of the package's code takes
  int threads = 0;
  std::int64_t prompt = 0, generate = 0, depth = 0;
  std::string test_time;  // ISO 8601, UTC
  std::vector<std::int64_t> samples_ns;
  std::vector<OpTiming> ops;  // of all repetitions; empty: not profiled

  std::string test_name() const;  // "pp512", "tg128 @ d4096"
};

// Arithmetic mean and sample standard deviation; the latter 0 for fewer than two samples.
struct Statistics {
  double mean = 0, stddev = 0;
};
Statistics statistics(const std::vector<double>& samples);

// The repetitions' tokens per second.
std::vector<double> tokens_per_second(const BenchResult& result);

// The formats of llama-bench, with its names: "md", "csv", "json", "jsonl". The output is begin(), row() for each
// result in turn, end(). Profiles follow the table of "md", and are the list "ops" in the objects of the JSON formats.
class BenchReport {
 public:
  explicit BenchReport(std::string format) : format_(std::move(format)) {}
  std::string begin() const;
  std::string row(const BenchResult& result);
  std::string end() const;

 private:
  std::string format_;
  bool has_rows_ = false;
  std::string profiles_;
};

}  // namespace strata::cli
