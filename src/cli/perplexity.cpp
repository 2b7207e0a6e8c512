// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <memory>

#include "base/error.h"
#include "cli/command.h"
#include "cli/format.h"
#include "cli/input.h"
#include "cli/model_source.h"
#include "cli/not_numbers.h"
#include "cli/options.h"
#include "cli/path_roles.h"
#include "cli/signals.h"

namespace strata::cli {
namespace {

struct PerplexityOptions {
  std::string model, file;
  runtime::SessionOptions session{.context = 512};
};

// Mean and spread of the negative log-likelihoods (nats) of the predicted tokens.
struct Likelihood {
  double sum = 0, sum_of_squares = 0;
  std::int64_t count = 0;

  void add(double nll) {
    sum += nll;
    sum_of_squares += nll * nll;
    ++count;
  }
  double perplexity() const { return std::exp(sum / static_cast<double>(count)); }
  // Standard error, by the delta method.
  double error() const {
    if (count < 2) return 0;
    auto n = static_cast<double>(count);
    double mean = sum / n;
    double variance = std::max(0.0, sum_of_squares / n - mean * mean);
    return perplexity() * std::sqrt(variance / (n - 1));
  }
};

double negative_log_likelihood(std::span<const float> logits, std::int32_t token) {
  double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (float logit : logits) sum += std::exp(logit - largest);
  return largest + std::log(sum) - logits[static_cast<std::size_t>(token)];
}

// Predicts the second half of the chunk's tokens, each with at least half the context before it.
void measure_chunk(runtime::Session& session, std::span<const std::int32_t> chunk, Likelihood& likelihood) {
  auto vocabulary = static_cast<std::size_t>(session.manifest().vocab_size);
  std::size_t position = 0;
  session.rewind(0);
  session.feed_all(chunk, [&](std::span<const float> rows, std::int64_t count) {
    stop_if_interrupted();
    for (std::int64_t row = 0; row < count; ++row, ++position) {
      if (position < chunk.size() / 2 || position + 1 == chunk.size()) continue;
      auto logits = rows.subspan(static_cast<std::size_t>(row) * vocabulary, vocabulary);
      if (!are_numbers(logits)) {
        const auto position_in_chunk = static_cast<std::int64_t>(position);
        throw NotNumbers(position_in_chunk, {}, {chunk.begin(), chunk.begin() + position_in_chunk + 1});
      }
      likelihood.add(negative_log_likelihood(logits, chunk[position + 1]));
    }
  });
}

// Each chunk starts with the begin token if the tokenizer puts one before a text.
std::vector<std::int32_t> with_begin_token(std::span<const std::int32_t> chunk, std::span<const std::int32_t> prefix) {
  std::vector<std::int32_t> tokens(chunk.begin(), chunk.end());
  if (!prefix.empty()) tokens.front() = prefix.front();
  return tokens;
}

void measure(const PerplexityOptions& options, Console& console) {
  text::TextModel model = load_model_text(options.model);
  auto tokens = model.tokenizer.encode(read_input(options.file));
  auto prefix = model.tokenizer.encode("");
  auto size = static_cast<std::size_t>(options.session.context);
  if (tokens.size() < size) {
    throw usage_error(
        "the text has " + std::to_string(tokens.size()) + " tokens, fewer than one chunk of " + std::to_string(size),
        "give a longer text or a smaller -c");
  }
  auto session = open_session(console, options.model, options.session);
  Likelihood likelihood;
  std::size_t chunks = tokens.size() / size;
  for (std::size_t i = 0; i < chunks; ++i) {
    stop_if_interrupted();
    auto chunk = with_begin_token(std::span(tokens).subspan(i * size, size), prefix);
    try {
      measure_chunk(*session, chunk, likelihood);
    } catch (const NotNumbers& error) {
      trace_not_numbers(console, options.model, error);
      throw;
    }
    console.detail("chunk " + std::to_string(i + 1) + " of " + std::to_string(chunks) +
                   ": PPL = " + format_fixed(likelihood.perplexity(), 4));
    console.transient("chunk " + std::to_string(i + 1) + " of " + std::to_string(chunks));
  }
  console.out("Final estimate: PPL = " + format_fixed(likelihood.perplexity(), 4) + " +/- " +
              format_fixed(likelihood.error(), 5) + "\n");
}

}  // namespace

Action declare_perplexity(CLI::App& app, Console& console) {
  auto options = std::make_shared<PerplexityOptions>();
  add_model(app, options->model);
  reads(app.add_option("-f,--file", options->file, "The text; -: standard input"))->required();
  app.add_option("-c,--ctx-size", options->session.context, "Tokens of a chunk (default: 512)")
      ->check(integer_in(4, std::int64_t{1} << 24));
  add_threads(app, options->session.threads);
  add_verify(app, options->session.verify);
  return [options, &console] { measure(*options, console); };
}

}  // namespace strata::cli
