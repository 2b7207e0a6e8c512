// SPDX-License-Identifier: Apache-2.0
#include "cli/generation.h"

#include <algorithm>
#include <chrono>
#include <random>

#include "cli/format.h"
#include "cli/not_numbers.h"
#include "cli/options.h"
#include "cli/signals.h"
#include "text/stop_matcher.h"
#include "text/token_stream.h"

namespace strata::cli {
namespace {

// Of temperature and penalty: larger ones make no difference.
constexpr double kMaxFactor = 1000;

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

std::string rate(std::int64_t tokens, double seconds) {
  return std::to_string(tokens) + (tokens == 1 ? " token" : " tokens") +
         (seconds > 0 ? ", " + format_fixed(static_cast<double>(tokens) / seconds, 2) + " t/s" : "");
}

// From token ids to text that may be shown: whole characters, nothing of a stop string.
class TextOutput {
 public:
  TextOutput(const text::TextModel& model, const GenerationOptions& options,
             const std::function<void(std::string_view)>& emit)
      : model_(model), stop_(options.stop), tokens_(model.tokenizer, options.continues_prompt), emit_(emit) {}

  // True when a stop string is complete.
  bool push(std::int32_t token) {
    const auto& tokenizer = model_.tokenizer;
    if (token >= tokenizer.vocab_size()) return false;
    // A special token is not printed, but it may be what the user wants to stop at.
    auto [text, stopped] =
        tokenizer.is_special(token) ? stop_.push(tokenizer.token_bytes(token), false) : stop_.push(tokens_.push(token));
    show(text);
    return stopped;
  }

  // What was held back because a stop string or a character might have followed.
  void finish() {
    auto [text, stopped] = stop_.push(tokens_.finish());
    show(text);
    if (!stopped) show(stop_.finish());
  }

  std::string take_text() { return std::move(text_); }

 private:
  void show(std::string_view text) {
    if (text.empty()) return;
    text_.append(text);
    emit_(text);
  }

  const text::TextModel& model_;
  text::StopMatcher stop_;
  text::TokenStream tokens_;
  const std::function<void(std::string_view)>& emit_;
  std::string text_;
};

text::Sampler make_sampler(const text::SamplingParameters& parameters, std::span<const std::int32_t> context,
                           std::span<const std::int32_t> prompt) {
  text::Sampler sampler(parameters);
  for (auto token : context) sampler.accept(token);
  for (auto token : prompt) sampler.accept(token);
  return sampler;
}

std::vector<std::int32_t> joined(std::span<const std::int32_t> a, std::span<const std::int32_t> b) {
  std::vector<std::int32_t> all(a.begin(), a.end());
  all.insert(all.end(), b.begin(), b.end());
  return all;
}

}  // namespace

GenerationResult generate(runtime::Session& session, const text::TextModel& model,
                          std::span<const std::int32_t> context, std::span<const std::int32_t> prompt,
                          const GenerationOptions& options, const std::function<void(std::string_view)>& emit,
                          const std::function<void(std::int64_t)>& progress) {
  auto interrupted = [] { return pending_signal() != 0; };
  GenerationResult result;
  result.prompt_tokens = std::ssize(prompt);
  TextOutput output(model, options, emit);
  text::Sampler sampler = make_sampler(options.sampling, context, prompt);
  auto start = Clock::now();
  auto logits = session.feed(prompt, progress, interrupted);
  if (!logits.empty() && !are_numbers(logits)) {
    throw NotNumbers(session.position() - 1, joined(context, {}), joined(prompt, {}));
  }
  result.prompt_s = seconds_since(start);
  start = Clock::now();
  bool stopped = false;
  for (;; ++result.generated) {
    if (logits.empty() || interrupted()) {
      result.end = EndOfText::kInterrupted;
      break;
    }
    if (stopped) {
      result.end = EndOfText::kStopString;
      break;
    }
    if (options.limit >= 0 && result.generated >= options.limit) break;
    std::int32_t token = sampler.sample(logits);
    bool is_end = std::find(model.eos_ids.begin(), model.eos_ids.end(), token) != model.eos_ids.end();
    if (is_end && !options.ignore_eos) {
      result.end = EndOfText::kEndToken;
      break;
    }
    sampler.accept(token);
    stopped = output.push(token);
    bool is_last = stopped || result.generated + 1 == options.limit;
    if (is_last) continue;
    if (session.position() == session.context()) {
      result.end = EndOfText::kFullContext;
      ++result.generated;
      break;
    }
    logits = session.feed({&token, 1}, {}, interrupted);
    if (!logits.empty() && !are_numbers(logits)) {
      throw NotNumbers(session.position() - 1, joined(joined(context, prompt), result.tokens), {token});
    }
    result.tokens.push_back(token);
  }
  output.finish();
  result.generate_s = seconds_since(start);
  result.text = output.take_text();
  return result;
}

void add_generation_options(CLI::App& app, GenerationOptions& options, std::int64_t& seed) {
  auto& sampling = options.sampling;
  app.add_option("-n,--n-predict", options.limit, "Tokens to generate; -1: until the end token or a full context")
      ->check(integer_in(-1));
  app.add_option("--temp", sampling.temperature, "Temperature; 0: always the likeliest token")
      ->check(finite_in(0, kMaxFactor));
  app.add_option("--top-k", sampling.top_k, "Sample from this many likeliest tokens; 0: all")
      ->check(integer_in(0, std::numeric_limits<std::int32_t>::max()));
  app.add_option("--top-p", sampling.top_p, "Sample from the likeliest tokens with this much probability together")
      ->check(finite_in(0, 1));
  app.add_option("--min-p", sampling.min_p, "Leave out tokens less likely than this fraction of the likeliest")
      ->check(finite_in(0, 1));
  app.add_option("--repeat-penalty", sampling.repeat_penalty, "Make recent tokens less likely; 1: off")
      ->check(finite_above(0, kMaxFactor));
  app.add_option("--repeat-last-n", sampling.repeat_last_n, "How many tokens are recent")
      ->check(integer_in(0, std::numeric_limits<std::int32_t>::max()));
  app.add_option("-s,--seed", seed, "Seed of the sampling; -1: drawn at random")->check(integer_in(-1));
  app.add_option("--stop", options.stop,
                 "End at this text, which may be a special token's and is not printed; may be given again")
      ->allow_extra_args(false);
  app.add_flag("--ignore-eos", options.ignore_eos, "Go on after the end token");
}

void resolve_seed(GenerationOptions& options, std::int64_t seed) {
  options.sampling.seed = seed >= 0 ? static_cast<std::uint64_t>(seed) : std::random_device()();
}

std::string describe_speed(const GenerationResult& result) {
  return "prompt " + rate(result.prompt_tokens, result.prompt_s) + "; generated " +
         rate(result.generated, result.generate_s);
}

}  // namespace strata::cli
