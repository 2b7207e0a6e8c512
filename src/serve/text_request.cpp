// SPDX-License-Identifier: Apache-2.0
#include "serve/text_request.h"

#include <limits>

#include "base/words.h"
#include "serve/api_error.h"
#include "serve/chat_messages.h"
#include "serve/limits.h"
#include "serve/refused_fields.h"

namespace strata::serve {
namespace {

constexpr std::int64_t kMostTokens = std::numeric_limits<std::int32_t>::max();
constexpr double kMaxFactor = 1000;  // of temperature and penalty: larger ones make no difference
constexpr double kMaxPenalty = 2;    // OpenAI's
constexpr double kMaxBias = 100;

void read_stops(const RequestReader& body, text::ContinuationOptions& out) {
  const Json* const stop = body.find("stop");
  if (stop == nullptr) return;
  const Json stops = stop->is_string() ? Json::array({*stop}) : *stop;
  if (!stops.is_array() || stops.size() > kMaxStops) {
    body.refuse("stop", "is neither a string nor a list of at most " + std::to_string(kMaxStops));
  }
  for (const Json& entry : stops) {
    if (!entry.is_string()) body.refuse("stop", "has an entry that is no string");
    if (entry.get_ref<const std::string&>().size() > kMaxStopBytes) {
      body.refuse("stop", "has an entry of more than " + std::to_string(kMaxStopBytes) + " bytes");
    }
    out.stop.push_back(entry.get<std::string>());
  }
}

void read_bias(const RequestReader& body, std::int64_t vocabulary, text::SamplingParameters& out) {
  const Json* const bias = body.object("logit_bias");
  if (bias == nullptr) return;
  if (bias->size() > kMaxBiases) body.refuse("logit_bias", "has too many entries");
  for (const auto& [name, value] : bias->items()) {
    const auto token = number_of<std::int64_t>(name);
    const double number = value.is_number() ? value.get<double>() : kMaxBias + 1;
    if (!token || *token < 0 || *token >= vocabulary || !(number >= -kMaxBias && number <= kMaxBias)) {
      body.refuse("logit_bias", "has an entry that is no token id with a number from -100 to 100");
    }
    out.bias.emplace_back(static_cast<std::int32_t>(*token), static_cast<float>(number));
  }
}

text::SamplingParameters read_sampling(const RequestReader& body, const RequestBounds& bounds) {
  text::SamplingParameters out = bounds.sampling;
  const auto number = [&](const char* key, float fallback, double min, double max) {
    return static_cast<float>(body.number_or(key, static_cast<double>(fallback), min, max));
  };
  out.temperature = number("temperature", out.temperature, 0, kMaxFactor);
  out.top_p = number("top_p", out.top_p, 0, 1);
  out.min_p = number("min_p", out.min_p, 0, 1);
  out.top_k = static_cast<int>(body.integer_or("top_k", out.top_k, -1, kMostTokens));
  const char* const penalty = body.has("repetition_penalty") ? "repetition_penalty" : "repeat_penalty";
  out.repeat_penalty = number(penalty, out.repeat_penalty, 1e-3, kMaxFactor);
  out.repeat_last_n = static_cast<int>(body.integer_or("repeat_last_n", out.repeat_last_n, -1, kMostTokens));
  out.presence_penalty = number("presence_penalty", 0, -kMaxPenalty, kMaxPenalty);
  out.frequency_penalty = number("frequency_penalty", 0, -kMaxPenalty, kMaxPenalty);
  read_bias(body, bounds.vocabulary, out);
  return out;
}

void read_stream(const RequestReader& body, TextRequest& out) {
  out.streams = body.boolean_or("stream", false);
  const Json* const options = body.object("stream_options");
  if (options == nullptr) return;
  if (!out.streams) body.refuse("stream_options", "is given without \"stream\": true");
  out.includes_usage = RequestReader(*options, "stream_options").boolean_or("include_usage", false);
}

TextRequest read_text_request(const RequestReader& body, const RequestBounds& bounds) {
  TextRequest out;
  read_stream(body, out);
  out.choices = body.integer_or("n", 1, 1, kMaxChoices);
  const auto seed =
      body.integer("seed", std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max());
  if (seed) out.seed = static_cast<std::uint64_t>(*seed);
  out.uses_cache = body.boolean_or("cache_prompt", true);
  const char* const limit = body.has("max_completion_tokens") ? "max_completion_tokens" : "max_tokens";
  out.continuation.limit = body.integer_or(limit, -1, -1, kMostTokens);
  out.continuation.ignore_eos = body.boolean_or("ignore_eos", false);
  out.continuation.sampling = read_sampling(body, bounds);
  read_stops(body, out.continuation);
  if (const Json* const ids = body.list("stop_token_ids", kMaxBiases); ids != nullptr) {
    out.continuation.stop_ids = read_tokens(*ids, bounds.vocabulary, "stop_token_ids");
  }
  out.constraint = read_constraint(body);
  return out;
}

bool is_token_list(const Json& list) { return !list.empty() && list[0].is_number(); }

std::vector<Prompt> read_prompts(const RequestReader& body, const char* key, std::size_t most,
                                 std::int64_t vocabulary) {
  const Json* const prompt = body.find(key);
  if (prompt == nullptr) body.refuse(key, "is missing");
  if (prompt->is_string()) return {prompt->get<std::string>()};
  if (!prompt->is_array() || prompt->empty()) body.refuse(key, "is neither a string nor a list of some");
  if (is_token_list(*prompt)) return {read_tokens(*prompt, vocabulary, key)};
  if (prompt->size() > most) body.refuse(key, "has more than " + std::to_string(most) + " entries");
  std::vector<Prompt> prompts;
  for (const Json& entry : *prompt) {
    if (entry.is_string()) {
      prompts.emplace_back(entry.get<std::string>());
    } else {
      prompts.emplace_back(read_tokens(entry, vocabulary, key));
    }
  }
  return prompts;
}

// In a chat whether there are any, and how many alternatives, are two fields.
void read_chat_logprobs(const RequestReader& body, TextRequest& out) {
  const bool wants = body.boolean_or("logprobs", false);
  const auto top = body.integer("top_logprobs", 0, kMaxTopLogprobs);
  if (top && !wants) body.refuse("top_logprobs", "is given without \"logprobs\": true");
  if (wants) out.top_logprobs = top.value_or(0);
}

}  // namespace

CompletionRequest parse_completion_request(const Json& body, const RequestBounds& bounds) {
  const RequestReader reader(body);
  refuse_fields(reader, refused_of_texts());
  refuse_fields(reader, refused_of_completions());
  CompletionRequest out;
  out.text = read_text_request(reader, bounds);
  if (!reader.has("max_completion_tokens") && !reader.has("max_tokens")) out.text.continuation.limit = 16;  // OpenAI's
  out.prompts = read_prompts(reader, "prompt", kMaxPrompts, bounds.vocabulary);
  out.text.top_logprobs = reader.integer("logprobs", 0, kMaxTopLogprobs);
  out.echoes = reader.boolean_or("echo", false);
  if (out.echoes && out.text.top_logprobs) reader.refuse("echo", "can't be given together with logprobs");
  return out;
}

ChatRequest parse_chat_request(const Json& body, const RequestBounds& bounds) {
  const RequestReader reader(body);
  refuse_fields(reader, refused_of_texts());
  refuse_fields(reader, refused_of_chats());
  ChatRequest out;
  out.text = read_text_request(reader, bounds);
  read_chat_logprobs(reader, out.text);
  out.context = read_chat_context(reader, out.tools);
  out.splits_reasoning = reader.text_or("reasoning_format", "auto") != "none";  // llama.cpp's name
  return out;
}

EmbeddingRequest parse_embedding_request(const Json& body, const RequestBounds& bounds) {
  const RequestReader reader(body);
  EmbeddingRequest out;
  out.inputs = read_prompts(reader, "input", kMaxInputs, bounds.vocabulary);
  out.dimensions = reader.integer("dimensions", 1, kMostTokens);
  const std::string format = reader.text_or("encoding_format", "float");
  if (format != "float" && format != "base64") reader.refuse("encoding_format", "is neither float nor base64");
  out.is_base64 = format == "base64";
  return out;
}

}  // namespace strata::serve
