// SPDX-License-Identifier: Apache-2.0
#include "cli/generation.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <optional>
#include <random>

#include "cli/format.h"
#include "cli/lookahead.h"
#include "cli/not_numbers.h"
#include "cli/options.h"
#include "cli/signals.h"
#include "plan/calls.h"
#include "plan/plan.h"
#include "text/sampler.h"
#include "text/sampling_defaults.h"

namespace strata::cli {
namespace {

// Of temperature and penalty: larger ones make no difference.
constexpr double kMaxFactor = 1000;
constexpr std::int64_t kMostDrafted = 64;
constexpr double kMaxPenalty = 2;  // OpenAI's

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

std::string rate(std::int64_t tokens, double seconds) {
  return std::to_string(tokens) + (tokens == 1 ? " token" : " tokens") +
         (seconds > 0 ? ", " + format_fixed(static_cast<double>(tokens) / seconds, 2) + " t/s" : "");
}

std::vector<std::int32_t> joined(std::span<const std::int32_t> a, std::span<const std::int32_t> b) {
  std::vector<std::int32_t> all(a.begin(), a.end());
  all.insert(all.end(), b.begin(), b.end());
  return all;
}

// What steps of 1 ... most + 1 rows take at most: several rows took up to this much longer than predicted
// (bench/RESULTS.md), and one row didn't.
constexpr double kSlack = 1.4;
std::vector<double> step_costs(const runtime::Session& session, std::int64_t most) {
  const std::string_view text = session.section("plan");
  if (text.empty()) return {1};
  const plan::Plan plan = plan::plan_from_json(text, "the package");
  std::vector<double> costs;
  for (std::int64_t rows = 1; rows <= most + 1; ++rows) {
    const double cost = plan::predicted_s(plan::decoding_calls(plan, rows, session.position(), session.threads()));
    costs.push_back(rows == 1 ? cost : kSlack * cost);
  }
  return costs;
}

}  // namespace

GenerationResult generate(runtime::Session& session, const text::TextModel& model,
                          std::span<const std::int32_t> context, std::span<const std::int32_t> prompt,
                          const text::ContinuationOptions& options, const std::function<void(std::string_view)>& emit,
                          const std::function<void(std::int64_t)>& progress) {
  auto interrupted = [] { return pending_signal() != 0; };
  GenerationResult result;
  result.prompt_tokens = std::ssize(prompt);
  text::Continuation continuation(model, options, joined(context, prompt));
  auto show = [&](const std::string& text) {
    if (text.empty()) return;
    result.text.append(text);
    emit(text);
  };
  auto start = Clock::now();
  auto logits = session.feed(prompt, progress, interrupted);
  if (!logits.empty() && !text::are_numbers(logits)) {
    throw NotNumbers(session.position() - 1, joined(context, {}), joined(prompt, {}));
  }
  result.prompt_s = seconds_since(start);
  start = Clock::now();
  Lookahead ahead(session, [&] { return step_costs(session, options.draft_max); }, joined(context, prompt));
  std::optional<text::EndOfText> end;
  if (options.limit == 0) end = text::EndOfText::kLimit;
  while (!end) {
    if (logits.empty() || interrupted()) {
      end = text::EndOfText::kInterrupted;
      break;
    }
    const text::Continuation::Choice choice = continuation.choose(logits);
    show(choice.text);
    end = choice.end;
    if (end) break;
    if (ahead.position() == session.context()) {
      end = text::EndOfText::kFullContext;
      break;
    }
    logits = ahead.feed(choice.token, interrupted);
    if (!logits.empty() && !text::are_numbers(logits)) {
      throw NotNumbers(ahead.position() - 1, joined(joined(context, prompt), result.tokens), {choice.token});
    }
    result.tokens.push_back(choice.token);
  }
  result.end = *end;
  result.generated = continuation.chosen();
  show(continuation.finish());
  result.generate_s = seconds_since(start);
  result.guessed = ahead.guessed();
  result.guessed_right = ahead.right();
  return result;
}

void add_generation_options(CLI::App& app, text::ContinuationOptions& options, SamplingFlags& flags) {
  app.add_option("-n,--n-predict", options.limit, "Tokens to generate; -1: until the end token or a full context")
      ->check(integer_in(-1));
  app.add_option("--temp", flags.temperature, "Temperature; 0: always the likeliest token")
      ->check(finite_in(0, kMaxFactor));
  app.add_option("--top-k", flags.top_k, "Sample from this many likeliest tokens; 0: all")
      ->check(integer_in(0, std::numeric_limits<std::int32_t>::max()));
  app.add_option("--top-p", flags.top_p, "Sample from the likeliest tokens with this much probability together")
      ->check(finite_in(0, 1));
  app.add_option("--min-p", flags.min_p, "Leave out tokens less likely than this fraction of the likeliest")
      ->check(finite_in(0, 1));
  app.add_option("--repeat-penalty", flags.repeat_penalty, "Make recent tokens less likely; 1: off")
      ->check(finite_above(0, kMaxFactor));
  app.add_option("--repeat-last-n", flags.repeat_last_n, "How many tokens are recent")
      ->check(integer_in(0, std::numeric_limits<std::int32_t>::max()));
  app.add_option("--presence-penalty", flags.presence_penalty, "Make tokens that were chosen less likely, once; 0: off")
      ->check(finite_in(-kMaxPenalty, kMaxPenalty));
  app.add_option("--frequency-penalty", flags.frequency_penalty, "The same, for each time; 0: off")
      ->check(finite_in(-kMaxPenalty, kMaxPenalty));
  app.add_option("-s,--seed", flags.seed, "Seed of the sampling; -1: drawn at random")->check(integer_in(-1));
  app.add_option("--stop", options.stop,
                 "End at this text, which may be a special token's and is not printed; may be given again")
      ->allow_extra_args(false);
  app.add_flag("--ignore-eos", options.ignore_eos, "Go on after the end token");
  app.add_option("--draft-max", options.draft_max,
                 "Tokens that are guessed from the text itself and verified in one step, where that is predicted to "
                 "save time; 0: none")
      ->check(integer_in(0, kMostDrafted));
}

void resolve_sampling(text::ContinuationOptions& options, const SamplingFlags& flags, const text::TextModel& model,
                      Console& console) {
  text::SamplingParameters& sampling = options.sampling;
  sampling = model.sampling;
  sampling.temperature = flags.temperature.value_or(sampling.temperature);
  sampling.top_k = flags.top_k.value_or(sampling.top_k);
  sampling.top_p = flags.top_p.value_or(sampling.top_p);
  sampling.min_p = flags.min_p.value_or(sampling.min_p);
  sampling.repeat_penalty = flags.repeat_penalty.value_or(sampling.repeat_penalty);
  sampling.repeat_last_n = flags.repeat_last_n.value_or(sampling.repeat_last_n);
  sampling.presence_penalty = flags.presence_penalty.value_or(sampling.presence_penalty);
  sampling.frequency_penalty = flags.frequency_penalty.value_or(sampling.frequency_penalty);
  sampling.seed = flags.seed >= 0 ? static_cast<std::uint64_t>(flags.seed) : std::random_device()();
  console.detail("sampling: " + text::describe(sampling));
  console.detail("seed: " + std::to_string(sampling.seed));
}

std::string describe_speed(const GenerationResult& result) {
  return "prompt " + rate(result.prompt_tokens, result.prompt_s) + "; generated " +
         rate(result.generated, result.generate_s) +
         (result.guessed > 0 ? "; of " + std::to_string(result.guessed) + " guessed " +
                                   std::to_string(result.guessed_right) + " were right"
                             : "");
}

}  // namespace strata::cli
