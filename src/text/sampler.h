// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <random>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "grammar/matcher.h"

namespace strata::text {

// The options of docs/cli.md, with llama.cpp's meanings.
struct SamplingParameters {
  float temperature = 0.8f;     // 0 or less: greedy
  int top_k = 40;               // keep the k likeliest tokens; 0 or less: all
  float top_p = 0.95f;          // keep the likeliest tokens that together have this probability; 1 or more: all
  float min_p = 0.05f;          // keep tokens at least this likely relative to the likeliest; 0 or less: all
  float repeat_penalty = 1.0f;  // above 1 makes the last tokens less likely; 1: off
  int repeat_last_n = 64;       // how many tokens the penalty looks back; 0: off, negative: all
  // OpenAI's: taken from the logits of tokens that were chosen before, once and for each time.
  float presence_penalty = 0;
  float frequency_penalty = 0;
  std::vector<std::pair<std::int32_t, float>> bias = {};  // added to the logits of these tokens
  std::uint64_t seed = 0;
};

// Whether no logit is NaN or positive infinity, and at least one is finite.
bool are_numbers(std::span<const float> logits);

// Chooses the next token: bias, penalties, top-k, top-p, min-p, temperature, in this order. One seed gives one sequence
// on every machine. NaN counts as impossible.
class Sampler {
 public:
  explicit Sampler(const SamplingParameters& parameters);

  // Requires at least one logit; index = token id. Equal logits: the lower id goes first. `allowed`: the tokens that
  // may be chosen, null: all; -1 where there is none of them.
  std::int32_t sample(std::span<const float> logits, const grammar::TokenMask* allowed = nullptr);

  // Tells the penalties which token came: of the prompt, or a chosen one.
  void accept_prompt(std::int32_t token);
  void accept(std::int32_t token);

 private:
  struct Candidate {
    float logit;
    std::int32_t id;
  };

  void penalize(std::vector<Candidate>& candidates) const;
  void keep_top_k(std::vector<Candidate>& candidates) const;
  void keep_top_p(std::vector<Candidate>& candidates) const;
  void keep_min_p(std::vector<Candidate>& candidates) const;
  std::int32_t draw(const std::vector<Candidate>& candidates);

  SamplingParameters parameters_;
  std::mt19937_64 random_;
  std::deque<std::int32_t> recent_;
  std::unordered_map<std::int32_t, std::int64_t> recent_count_;  // of prompt and chosen tokens
  std::unordered_map<std::int32_t, std::int64_t> chosen_count_;
};

}  // namespace strata::text
