// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/console.h"
#include "runtime/session.h"
#include "text/continuation.h"
#include "text/text_model.h"

namespace strata::cli {

struct GenerationResult {
  std::vector<std::int32_t> tokens;  // those that were fed to the session after the prompt
  std::string text;
  std::int64_t generated = 0;
  double prompt_s = 0, generate_s = 0;  // prompt_s: until the first token's logits
  std::int64_t prompt_tokens = 0;       // those that had to be computed
  text::EndOfText end = text::EndOfText::kLimit;
  std::int64_t guessed = 0, guessed_right = 0;  // tokens (cli/lookahead.h)
};

// Feeds `prompt` after what the session holds, then generates. `emit` gets whole UTF-8 characters as they are certain,
// and nothing of a stop string. Stops early when a signal is pending. `context` are the tokens already in the session,
// which the repeat penalty looks at. `progress` is told the number of prompt tokens done. Throws NotNumbers.
GenerationResult generate(runtime::Session& session, const text::TextModel& model,
                          std::span<const std::int32_t> context, std::span<const std::int32_t> prompt,
                          const text::ContinuationOptions& options, const std::function<void(std::string_view)>& emit,
                          const std::function<void(std::int64_t)>& progress = {});

// What was said of sampling; else it is as the model wants it.
struct SamplingFlags {
  std::optional<float> temperature, top_p, min_p, repeat_penalty, presence_penalty, frequency_penalty;
  std::optional<int> top_k, repeat_last_n;
  std::int64_t seed = -1;
};

// Declares -n, --temp, --top-k, --top-p, --min-p, --repeat-penalty, --repeat-last-n, --presence-penalty,
// --frequency-penalty, -s, --stop, --ignore-eos, --draft-max. After parsing, resolve_sampling() says what wasn't said:
// as the model wants it, with a seed that is drawn. Tells the console.
void add_generation_options(CLI::App& app, text::ContinuationOptions& options, SamplingFlags& flags);
void resolve_sampling(text::ContinuationOptions& options, const SamplingFlags& flags, const text::TextModel& model,
                      Console& console);

// "prompt 12 tokens, 140.2 t/s; generated 128 tokens, 31.5 t/s"
std::string describe_speed(const GenerationResult& result);

}  // namespace strata::cli
