// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/command.h"
#include "cli/divergence.h"
#include "cli/format.h"
#include "cli/input.h"
#include "cli/md_table.h"
#include "cli/model_source.h"
#include "cli/not_numbers.h"
#include "cli/options.h"
#include "cli/path_roles.h"
#include "cli/signals.h"
#include "text/sampler.h"

namespace strata::cli {
namespace {

// Tokens fed at a time whose logits are kept for the other model's: so many rows of a vocabulary.
constexpr std::size_t kKeptRows = 256;

struct PerplexityOptions {
  ModelSource model;
  std::string against, file, format = "md";
  runtime::SessionOptions session{.context = 512};
};

struct Quantile {
  const char* name;  // in the table
  const char* key;   // in JSON
  double share;
};

constexpr std::array<Quantile, 11> kQuantiles = {{{"largest", "kl_max", 1},
                                                  {"99.9 %", "kl_p99_9", 0.999},
                                                  {"99 %", "kl_p99", 0.99},
                                                  {"95 %", "kl_p95", 0.95},
                                                  {"90 %", "kl_p90", 0.9},
                                                  {"median", "kl_median", 0.5},
                                                  {"10 %", "kl_p10", 0.1},
                                                  {"5 %", "kl_p5", 0.05},
                                                  {"1 %", "kl_p1", 0.01},
                                                  {"0.1 %", "kl_p0_1", 0.001},
                                                  {"smallest", "kl_min", 0}}};

// A model, its sequence, and how well it predicted.
struct Measured {
  ModelSource source;
  std::unique_ptr<runtime::Session> session;
  std::vector<double> losses = {};

  std::size_t vocabulary() const { return static_cast<std::size_t>(session->manifest().vocab_size); }
};

// What the text is for a model: its tokens, and those that stand before any text.
struct Tokens {
  std::vector<std::int32_t> text, prefix;
  bool operator==(const Tokens&) const = default;
};

Tokens tokens_of(const std::string& model, const std::string& text) {
  const text::TextModel loaded = load_model_text(model);
  return {loaded.tokenizer.encode(text), loaded.tokenizer.encode("")};
}

// Calls rows(logits, position in the chunk) for each of the tokens [first, first + count) that another one follows.
void feed_rows(Console& console, Measured& model, std::span<const std::int32_t> chunk, std::size_t first,
               std::size_t count, const std::function<void(std::span<const float>, std::size_t)>& rows) {
  std::size_t position = first;
  const auto each = [&](std::span<const float> logits, std::int64_t made) {
    stop_if_interrupted();
    for (std::int64_t row = 0; row < made; ++row, ++position) {
      if (position + 1 == chunk.size()) continue;
      const auto of_row = logits.subspan(static_cast<std::size_t>(row) * model.vocabulary(), model.vocabulary());
      if (!text::are_numbers(of_row)) {
        const auto before = static_cast<std::int64_t>(position);
        throw NotNumbers(before, {}, {chunk.begin(), chunk.begin() + before + 1});
      }
      model.losses.push_back(negative_log_likelihood(of_row, chunk[position + 1]));
      rows(of_row, position);
    }
  };
  try {
    model.session->feed_all(chunk.subspan(first, count), each);
  } catch (const NotNumbers& error) {
    trace_not_numbers(console, model.source, error);
    throw;
  }
}

class Measurement {
 public:
  Measurement(const PerplexityOptions& options, Console& console) : options_(options), console_(console) {}

  void run() {
    read_tokens();
    open(options_.model, own_);
    if (compares()) open({options_.against}, other_);
    if (compares() && own_.vocabulary() != other_.vocabulary()) throw differs("vocabulary");
    const auto size = static_cast<std::size_t>(options_.session.context);
    const std::size_t chunks = tokens_.text.size() / size;
    for (std::size_t i = 0; i < chunks; ++i) {
      stop_if_interrupted();
      measure_chunk(with_begin_token(std::span(tokens_.text).subspan(i * size, size)));
      const std::string done = "chunk " + std::to_string(i + 1) + " of " + std::to_string(chunks);
      console_.detail(done + ": PPL = " + format_fixed(perplexity(own_.losses).value, 4));
      console_.transient(done);
    }
    console_.out(options_.format == "json" ? json() : text());
  }

 private:
  bool compares() const { return !options_.against.empty(); }

  Error differs(const std::string& what) const {
    return usage_error("the model that is compared with has another " + what + ", " + options_.against,
                       "give one with the tokenizer and the vocabulary of " + options_.model.path);
  }

  void read_tokens() {
    const std::string text = read_input(options_.file);
    tokens_ = tokens_of(options_.model.path, text);
    if (compares() && tokens_ != tokens_of(options_.against, text)) throw differs("tokenizer");
    if (tokens_.text.size() >= static_cast<std::size_t>(options_.session.context)) return;
    throw usage_error("the text has " + std::to_string(tokens_.text.size()) + " tokens, fewer than one chunk of " +
                          std::to_string(options_.session.context),
                      "give a longer text or a smaller -c");
  }

  void open(const ModelSource& source, Measured& model) {
    model = {source, open_session(console_, source, options_.session)};
  }

  // Each chunk starts with the begin token if the tokenizer puts one before a text.
  std::vector<std::int32_t> with_begin_token(std::span<const std::int32_t> chunk) const {
    std::vector<std::int32_t> tokens(chunk.begin(), chunk.end());
    if (!tokens_.prefix.empty()) tokens.front() = tokens_.prefix.front();
    return tokens;
  }

  // Predicts the second half of the chunk's tokens, each with at least half the context before it.
  void measure_chunk(const std::vector<std::int32_t>& chunk) {
    const std::span<const std::int32_t> all(chunk);
    const std::size_t half = chunk.size() / 2;
    for (Measured* const model : {&own_, &other_}) {
      if (model->session == nullptr) continue;
      model->session->rewind(0);
      model->session->feed_all(all.first(half), {});
    }
    for (std::size_t first = half; first < chunk.size(); first += kKeptRows) {
      measure_rows(all, first, std::min(kKeptRows, chunk.size() - first));
    }
  }

  void measure_rows(std::span<const std::int32_t> chunk, std::size_t first, std::size_t count) {
    std::vector<float> kept;
    feed_rows(console_, own_, chunk, first, count, [&](std::span<const float> logits, std::size_t) {
      if (compares()) kept.insert(kept.end(), logits.begin(), logits.end());
    });
    if (!compares()) return;
    feed_rows(console_, other_, chunk, first, count, [&](std::span<const float> logits, std::size_t position) {
      divergence_.add(std::span(kept).subspan((position - first) * logits.size(), logits.size()), logits);
    });
  }

  std::string text() const {
    const Estimate own = perplexity(own_.losses);
    std::string text =
        "Final estimate: PPL = " + format_fixed(own.value, 4) + " +/- " + format_fixed(own.error, 5) + "\n";
    return compares() ? text + "\n" + table() : text;
  }

  std::string table() const {
    const auto with_error = [](const Estimate& estimate, int digits) {
      return format_fixed(estimate.value, digits) + " ± " + format_fixed(estimate.error, digits);
    };
    MdTable table;
    table.column("figure", MdTable::Align::kLeft).column("value");
    table.row({"perplexity", with_error(perplexity(own_.losses), 4)});
    table.row({"perplexity of the other model", with_error(perplexity(other_.losses), 4)});
    table.row({"difference of perplexity", with_error(perplexity_difference(own_.losses, other_.losses), 4)});
    table.row({"KL divergence, mean", with_error(divergence_.mean(), 6)});
    const std::vector<double> values = quantiles();
    for (std::size_t i = 0; i < values.size(); ++i) {
      table.row({std::string("KL divergence, ") + kQuantiles[i].name, format_fixed(values[i], 6)});
    }
    const Estimate same = divergence_.same_top();
    table.row({"same top token", with_error({100 * same.value, 100 * same.error}, 3) + " %"});
    table.row({"tokens", std::to_string(divergence_.count())});
    return table.text();
  }

  // Of the divergences, as kQuantiles has them.
  std::vector<double> quantiles() const {
    std::vector<double> shares;
    for (const Quantile& quantile : kQuantiles) shares.push_back(quantile.share);
    return divergence_.quantiles(shares);
  }

  std::string json() const {
    const Estimate own = perplexity(own_.losses);
    nlohmann::ordered_json figures = {
        {"ppl", own.value}, {"ppl_error", own.error}, {"tokens", static_cast<std::int64_t>(own_.losses.size())}};
    if (!compares()) return to_json_line(figures);
    const Estimate difference = perplexity_difference(own_.losses, other_.losses);
    figures["ppl_against"] = perplexity(other_.losses).value;
    figures["ppl_difference"] = difference.value;
    figures["ppl_difference_error"] = difference.error;
    figures["kl_mean"] = divergence_.mean().value;
    figures["kl_mean_error"] = divergence_.mean().error;
    const std::vector<double> values = quantiles();
    for (std::size_t i = 0; i < values.size(); ++i) figures[kQuantiles[i].key] = values[i];
    figures["same_top"] = divergence_.same_top().value;
    figures["same_top_error"] = divergence_.same_top().error;
    return to_json_line(figures);
  }

  const PerplexityOptions& options_;
  Console& console_;
  Tokens tokens_;
  Measured own_, other_;
  Divergence divergence_;
};

}  // namespace

Action declare_perplexity(CLI::App& app, Console& console) {
  auto options = std::make_shared<PerplexityOptions>();
  add_model_to_run(app, options->model);
  reads(app.add_option("-f,--file", options->file, "The text; -: standard input"))->required();
  app.add_option("-c,--ctx-size", options->session.context, "Tokens of a chunk (default: 512)")
      ->check(integer_in(4, std::int64_t{1} << 24));
  reads(app.add_option("--against", options->against,
                       "Another model with this one's tokenizer: how far this one's predictions are from its ones"));
  app.add_option("-o,--output", options->format, "Format: md or json")->check(one_of({"md", "json"}));
  add_threads(app, options->session.threads);
  add_verify(app, options->session.verify);
  return [options, &console] { Measurement(*options, console).run(); };
}

}  // namespace strata::cli
