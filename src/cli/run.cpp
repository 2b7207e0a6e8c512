// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <memory>

#include "base/error.h"
#include "cli/command.h"
#include "cli/format.h"
#include "cli/generation.h"
#include "cli/grammar_option.h"
#include "cli/input.h"
#include "cli/model_source.h"
#include "cli/not_numbers.h"
#include "cli/options.h"
#include "cli/path_roles.h"
#include "cli/signals.h"

namespace strata::cli {
namespace {

struct RunOptions {
  ModelSource model;
  std::string prompt, file;
  runtime::SessionOptions session;
  text::ContinuationOptions generation;
  GrammarOption grammar;
  SamplingFlags sampling;
  bool has_prompt = false;
};

// The line break that editors and echo put at a text's end is not part of the prompt: the model would continue after
// it.
std::string without_last_line_break(std::string text) {
  if (text.ends_with('\n')) {
    text.pop_back();
    if (text.ends_with('\r')) text.pop_back();
  }
  return text;
}

std::string read_prompt(const RunOptions& options) {
  if (options.has_prompt) return options.prompt;
  if (!options.file.empty()) return without_last_line_break(read_input(options.file));
  if (isatty(STDIN_FILENO)) throw usage_error("no prompt given", "use -p TEXT, -f FILE, or strata chat");
  return without_last_line_break(read_input("-"));
}

std::vector<std::int32_t> tokenize_prompt(const RunOptions& options, const text::TextModel& model) {
  auto tokens = model.tokenizer.encode(read_prompt(options));
  if (tokens.empty()) throw usage_error("the prompt is empty", "give some text with -p or -f");
  return tokens;
}

void check_prompt_fits(std::size_t tokens, std::int64_t context) {
  if (static_cast<std::int64_t>(tokens) <= context) return;
  throw usage_error(
      "the prompt of " + std::to_string(tokens) + " tokens is longer than the context of " + std::to_string(context),
      "shorten it or raise -c");
}

void report(Console& console, const GenerationResult& result, double load_s) {
  if (result.end == text::EndOfText::kFullContext) console.info("strata: the context is full; use -c for a larger one");
  console.info("strata: loaded in " + format_fixed(load_s, 2) + " s; " + describe_speed(result));
}

void run(RunOptions options, Console& console) {
  text::TextModel model = load_model_text(options.model.path);
  auto prompt = tokenize_prompt(options, model);
  options.generation.continues_prompt =
      std::ranges::any_of(prompt, [&](std::int32_t token) { return !model.tokenizer.is_special(token); });
  if (options.session.context > 0) check_prompt_fits(prompt.size(), options.session.context);
  options.generation.grammar = load_grammar(options.grammar);
  resolve_sampling(options.generation, options.sampling, model, console);

  auto start = std::chrono::steady_clock::now();
  auto session = open_session(console, options.model, options.session);
  double load_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  check_prompt_fits(prompt.size(), session->context());

  auto emit = [&](std::string_view text) {
    console.out(text);
    console.flush();
  };
  auto count = std::ssize(prompt);
  auto show_prompt = [&](std::int64_t done) {
    std::string text = "reading the prompt: " + std::to_string(done) + " of " + std::to_string(count) + " tokens";
    console.transient(done < count ? text : "");
  };
  GenerationResult result;
  try {
    result = generate(*session, model, {}, prompt, options.generation, emit, show_prompt);
  } catch (const NotNumbers& error) {
    trace_not_numbers(console, options.model, error);
    throw;
  }
  console.out("\n");
  console.flush();
  report(console, result, load_s);
  stop_if_interrupted();
}

}  // namespace

Action declare_run(CLI::App& app, Console& console) {
  auto options = std::make_shared<RunOptions>();
  options->generation.limit = 128;
  add_model_to_run(app, options->model);
  CLI::Option* prompt = app.add_option("-p,--prompt", options->prompt, "The text to continue");
  reads(app.add_option("-f,--file", options->file, "Read the text from this file; -: standard input"))
      ->excludes(prompt);
  add_generation_options(app, options->generation, options->sampling);
  add_grammar_option(app, options->grammar);
  add_threads(app, options->session.threads);
  add_verify(app, options->session.verify);
  add_context(app, options->session.context);
  return [options, prompt, &console] {
    options->has_prompt = prompt->count() > 0;
    run(*options, console);
  };
}

}  // namespace strata::cli
