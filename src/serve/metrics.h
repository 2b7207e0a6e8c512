// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace strata::serve {

// How often something took how long: counts up to bounds, as Prometheus wants them.
class Histogram {
 public:
  explicit Histogram(std::vector<double> bounds) : bounds_(std::move(bounds)), counts_(bounds_.size() + 1, 0) {}
  void add(double value);
  // The lines of a metric of this name.
  std::string text(const std::string& name, const std::string& help) const;

 private:
  std::vector<double> bounds_;         // ascending
  std::vector<std::uint64_t> counts_;  // up to each bound, and beyond all
  double sum_ = 0;
};

// What the server has done so far. Any thread may add and read.
class Metrics {
 public:
  void add_request(const std::string& path, int status);
  void add_prompt(std::size_t tokens, std::size_t reused);
  void add_made(std::int64_t tokens);
  void add_cancelled();
  void add_first_token(double seconds);  // since the request came
  void add_token(double seconds);        // since the one before
  void add_step(std::int64_t decoding, std::int64_t reading, double seconds);

  struct Now {
    std::size_t running = 0, waiting = 0, slots = 0;
  };
  // Prometheus's text format, version 0.0.4.
  std::string text(const Now& now) const;

 private:
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, int>, std::uint64_t> requests_;
  std::uint64_t prompt_tokens_ = 0, reused_tokens_ = 0, made_tokens_ = 0, cancelled_ = 0, steps_ = 0;
  std::uint64_t step_decoding_ = 0, step_reading_ = 0;
  double step_s_ = 0;
  Histogram first_token_{{0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60}};
  Histogram token_{{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5}};
};

}  // namespace strata::serve
