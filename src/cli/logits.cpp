// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <memory>

#include "base/error.h"
#include "cli/command.h"
#include "cli/model_source.h"
#include "cli/not_numbers.h"
#include "cli/npy.h"
#include "cli/options.h"
#include "cli/path_roles.h"
#include "cli/signals.h"
#include "package/package.h"
#include "text/sampler.h"

namespace strata::cli {
namespace {

struct LogitsOptions {
  ModelSource model;
  std::string tokens, output;
  std::int64_t step = 0;
  int threads = 0;
  bool last = false;
  bool verify = false;
  bool fixed_team = false;
};

void check_tokens(std::span<const std::int32_t> tokens, const package::Manifest& manifest) {
  for (auto token : tokens) {
    if (token < manifest.vocab_size) continue;
    throw usage_error("--tokens: there is no token " + std::to_string(token),
                      "the model's vocabulary ends at " + std::to_string(manifest.vocab_size - 1));
  }
  if (std::ssize(tokens) > manifest.max_context) {
    throw usage_error("--tokens: " + std::to_string(tokens.size()) + " tokens are more than the model's context of " +
                      std::to_string(manifest.max_context));
  }
}

void write_logits(const LogitsOptions& options, Console& console) {
  auto tokens = parse_token_ids(options.tokens, "--tokens");
  auto path = compiled_package(console, options.model, options.threads, options.verify);
  runtime::SessionOptions session_options{.threads = options.threads,
                                          .context = std::ssize(tokens),
                                          .verify = options.verify,
                                          .fixed_team = options.fixed_team};
  auto manifest = package::Package::open(path).manifest();
  check_tokens(tokens, manifest);
  if (!options.fixed_team) warn_of_threads(console, options.threads);
  auto session = open_package(path, session_options);

  const auto vocabulary = static_cast<std::size_t>(manifest.vocab_size);
  NpyWriter writer(options.output, options.last ? 1 : std::ssize(tokens), manifest.vocab_size);
  std::span<const std::int32_t> rest = tokens;
  std::size_t step = options.step > 0 ? static_cast<std::size_t>(options.step) : rest.size();
  std::int64_t position = 0, first_wrong = -1;
  const auto write = [&](std::span<const float> rows, std::int64_t) {
    stop_if_interrupted();
    for (auto row = rows; !row.empty(); row = row.subspan(vocabulary), ++position) {
      if (first_wrong < 0 && !text::are_numbers(row.first(vocabulary))) first_wrong = position;
    }
    writer.append(rows);
  };
  while (!rest.empty()) {
    stop_if_interrupted();
    auto chunk = rest.first(std::min(step, rest.size()));
    rest = rest.subspan(chunk.size());
    if (!options.last) {
      session->feed_all(chunk, write);
    } else if (!rest.empty()) {
      session->feed_all(chunk, {});
    } else {
      position = std::ssize(tokens) - 1;
      write(session->feed(chunk), 1);
    }
  }
  writer.commit();
  if (first_wrong < 0) return;
  console.info("strata: warning: the logits from position " + std::to_string(first_wrong) + " on are not all numbers");
  const std::vector<std::int32_t> fed(tokens.begin(), tokens.begin() + first_wrong + 1);
  trace_not_numbers(console, options.model, NotNumbers(first_wrong, {}, fed));
}

}  // namespace

Action declare_logits(CLI::App& app, Console& console) {
  auto options = std::make_shared<LogitsOptions>();
  add_model_to_run(app, options->model);
  app.add_option("--tokens", options->tokens, "Token ids such as 1,2,3")->required();
  writes(app.add_option("-o,--output", options->output, "The .npy file to write: float32 [tokens, vocabulary]"))
      ->required();
  app.add_option("--step", options->step, "Feed so many tokens at a time (default: all)")->check(integer_in(1));
  app.add_flag("--last", options->last,
               "The last token's logits only, computed as `run` does: float32 [1, vocabulary]");
  add_threads(app, options->threads);
  add_verify(app, options->verify);
  add_fixed_team(app, options->fixed_team);
  return [options, &console] { write_logits(*options, console); };
}

}  // namespace strata::cli
