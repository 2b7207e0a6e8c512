// SPDX-License-Identifier: Apache-2.0
#include "serve/metrics.h"

#include <algorithm>

#include "base/words.h"

namespace strata::serve {
namespace {

std::string head(const std::string& name, const std::string& type, const std::string& help) {
  return "# HELP " + name + " " + help + "\n# TYPE " + name + " " + type + "\n";
}

std::string metric(const std::string& name, const std::string& type, const std::string& help,
                   const std::string& value) {
  return head(name, type, help) + name + " " + value + "\n";
}

std::string counter(const std::string& name, const std::string& help, std::uint64_t value) {
  return metric(name, "counter", help, std::to_string(value));
}

// The value of a label: a path has the model's name in it.
std::string label(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out;
}

std::string gauge(const std::string& name, const std::string& help, std::size_t value) {
  return metric(name, "gauge", help, std::to_string(value));
}

}  // namespace

void Histogram::add(double value) {
  const auto at = std::ranges::lower_bound(bounds_, value);
  ++counts_[static_cast<std::size_t>(at - bounds_.begin())];
  sum_ += value;
}

std::string Histogram::text(const std::string& name, const std::string& help) const {
  std::string out = head(name, "histogram", help);
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    total += counts_[i];
    const std::string bound = i < bounds_.size() ? plain_text(bounds_[i]) : "+Inf";
    out += name + "_bucket{le=\"" + bound + "\"} " + std::to_string(total) + "\n";
  }
  return out + name + "_sum " + plain_text(sum_) + "\n" + name + "_count " + std::to_string(total) + "\n";
}

void Metrics::add_request(const std::string& path, int status) {
  const std::lock_guard lock(mutex_);
  ++requests_[{path, status}];
}

void Metrics::add_prompt(std::size_t tokens, std::size_t reused) {
  const std::lock_guard lock(mutex_);
  prompt_tokens_ += tokens;
  reused_tokens_ += reused;
}

void Metrics::add_made(std::int64_t tokens) {
  const std::lock_guard lock(mutex_);
  made_tokens_ += static_cast<std::uint64_t>(tokens);
}

void Metrics::add_cancelled() {
  const std::lock_guard lock(mutex_);
  ++cancelled_;
}

void Metrics::add_first_token(double seconds) {
  const std::lock_guard lock(mutex_);
  first_token_.add(seconds);
}

void Metrics::add_token(double seconds) {
  const std::lock_guard lock(mutex_);
  token_.add(seconds);
}

void Metrics::add_step(std::int64_t decoding, std::int64_t reading, double seconds) {
  const std::lock_guard lock(mutex_);
  ++steps_;
  step_decoding_ += static_cast<std::uint64_t>(decoding);
  step_reading_ += static_cast<std::uint64_t>(reading);
  step_s_ += seconds;
}

std::string Metrics::text(const Now& now) const {
  const std::lock_guard lock(mutex_);
  std::string out = head("strata_requests_total", "counter", "Requests that were answered.");
  for (const auto& [key, count] : requests_) {
    out += "strata_requests_total{path=\"" + label(key.first) + "\",code=\"" + std::to_string(key.second) + "\"} " +
           std::to_string(count) + "\n";
  }
  out += gauge("strata_requests_running", "Texts that are being made.", now.running);
  out += gauge("strata_requests_waiting", "Texts that wait for a slot.", now.waiting);
  out += gauge("strata_slots", "Texts that can be made at once.", now.slots);
  out += counter("strata_prompt_tokens_total", "Tokens of prompts.", prompt_tokens_);
  out += counter("strata_prompt_tokens_reused_total", "Tokens of prompts that a slot held already.", reused_tokens_);
  out += counter("strata_generated_tokens_total", "Tokens that were made.", made_tokens_);
  out += counter("strata_cancelled_total", "Texts whose client went away.", cancelled_);
  out += counter("strata_steps_total", "Steps of the engine.", steps_);
  out += counter("strata_step_decoding_tokens_total", "Tokens that steps made.", step_decoding_);
  out += counter("strata_step_prompt_tokens_total", "Tokens of prompts that steps computed.", step_reading_);
  out += metric("strata_step_seconds_total", "counter", "Time in steps.", plain_text(step_s_));
  out += first_token_.text("strata_time_to_first_token_seconds", "From the request to its first token.");
  out += token_.text("strata_time_per_output_token_seconds", "From one token of a text to the next.");
  return out;
}

}  // namespace strata::serve
