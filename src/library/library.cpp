// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "library/strata.h"
#include "runtime/session.h"
#include "text/continuation.h"
#include "text/render_chat.h"
#include "text/text_model.h"
#include "text/tokenizer_json.h"

struct strata_model {
  std::string path;
  std::unique_ptr<strata::runtime::Session> session;
  std::optional<strata::text::TextModel> text;  // read when it is asked for: logits need none
  std::vector<std::int32_t> held;               // the tokens that the session holds
  std::uint64_t texts = 0;                      // that were begun or ended by another call
};

struct strata_text {
  strata_model* model;
  std::uint64_t number;  // of the model's texts
  strata::text::Continuation continuation;
  std::span<const float> logits;
  std::string piece;
  std::optional<strata::text::EndOfText> end;
};

namespace {

using strata::usage_error;
using strata::text::EndOfText;

thread_local std::string last_error;

// What `call` returns; where it throws, `failed`, and strata_error() says why.
template <class T, class Call>
T guarded(T failed, const Call& call) noexcept {
  try {
    return call();
  } catch (const std::bad_alloc&) {
    last_error = "out of memory";
  } catch (const std::exception& error) {
    last_error = error.what();
  }
  return failed;
}

const strata::text::TextModel& text_of(strata_model& model) {
  if (!model.text) {
    const auto read = [&](const std::string& name) {
      return std::string(model.session->section(std::string_view(name).substr(name.rfind('/') + 1)));
    };
    model.text = strata::text::read_text_model(read, model.path);
  }
  return *model.text;
}

template <class T>
T* copied(const T* from, std::size_t count, std::size_t* size) {
  // A zero behind it ends a text.
  auto* const memory = static_cast<T*>(std::calloc(count + 1, sizeof(T)));
  if (memory == nullptr) throw std::bad_alloc();
  if (count > 0) std::memcpy(memory, from, count * sizeof(T));
  if (size != nullptr) *size = count;
  return memory;
}

void check_room(const strata_model& model, std::size_t tokens) {
  const auto room = static_cast<std::size_t>(model.session->context() - model.session->position());
  if (tokens <= room) return;
  throw usage_error(std::to_string(tokens) + " tokens don't fit the context: room for " + std::to_string(room),
                    "open the model with a larger context, or shorten the text");
}

void rewind(strata_model& model, std::int64_t position) {
  if (position < 0 || position > model.session->position()) {
    throw usage_error("there is no position " + std::to_string(position),
                      "the model holds " + std::to_string(model.session->position()) + " tokens");
  }
  model.session->rewind(position);
  model.held.resize(static_cast<std::size_t>(position));
}

std::span<const float> feed(strata_model& model, std::span<const std::int32_t> tokens) {
  if (tokens.empty()) throw usage_error("no token to feed");
  check_room(model, tokens.size());
  const auto logits = model.session->feed(tokens);
  model.held.insert(model.held.end(), tokens.begin(), tokens.end());
  if (!strata::text::are_numbers(logits)) {
    throw strata::model_error("the model's logits are not numbers", model.path, "its weights are damaged or too large");
  }
  return logits;
}

strata::text::ContinuationOptions options_of(const strata_sampling& given) {
  strata::text::ContinuationOptions options;
  options.limit = given.limit;
  options.ignore_eos = given.ignores_end_tokens != 0;
  options.continues_prompt = given.begins_text == 0;
  for (std::size_t i = 0; i < given.stop_count; ++i) options.stop.emplace_back(given.stop[i]);
  auto& sampling = options.sampling;
  sampling.temperature = given.temperature;
  sampling.top_k = given.top_k;
  sampling.top_p = given.top_p;
  sampling.min_p = given.min_p;
  sampling.repeat_penalty = given.repeat_penalty;
  sampling.repeat_last_n = given.repeat_last_n;
  sampling.presence_penalty = given.presence_penalty;
  sampling.frequency_penalty = given.frequency_penalty;
  sampling.seed = given.seed;
  return options;
}

std::unique_ptr<strata_text> begin(strata_model& model, std::string_view prompt, const strata_sampling& sampling) {
  const auto& text = text_of(model);
  const std::vector<std::int32_t> tokens = text.tokenizer.encode(prompt);
  if (tokens.empty()) throw usage_error("the prompt is empty", "give a text to continue");
  // The last token is computed in any case: its logits are wanted.
  const auto same = std::mismatch(tokens.begin(), tokens.end() - 1, model.held.begin(), model.held.end()).first;
  rewind(model, same - tokens.begin());
  const std::uint64_t number = ++model.texts;
  const auto logits = feed(model, std::span(tokens).subspan(static_cast<std::size_t>(same - tokens.begin())));
  const auto options = options_of(sampling);
  auto result =
      std::unique_ptr<strata_text>(new strata_text{&model, number, {text, options, tokens}, logits, "", std::nullopt});
  if (options.limit == 0) result->end = EndOfText::kLimit;
  return result;
}

// False: this was the last piece.
bool advance(strata_text& text) {
  if (text.number != text.model->texts) throw usage_error("the model was given something else since this text began");
  text.piece.clear();
  if (!text.end) {
    const auto choice = text.continuation.choose(text.logits);
    text.piece = choice.text;
    text.end = choice.end;
    if (!text.end && text.model->session->position() == text.model->session->context()) {
      text.end = EndOfText::kFullContext;
    }
    if (!text.end) {
      text.logits = feed(*text.model, {&choice.token, 1});
      return true;
    }
  }
  text.piece += text.continuation.finish();
  return false;
}

const char* name_of(EndOfText end) {
  switch (end) {
    case EndOfText::kLimit:
      return "limit";
    case EndOfText::kEndToken:
      return "end token";
    case EndOfText::kStopString:
      return "stop";
    case EndOfText::kFullContext:
      return "context";
    case EndOfText::kInterrupted:
      break;
  }
  return nullptr;
}

}  // namespace

const char* strata_error(void) { return last_error.c_str(); }

const char* strata_version(void) { return STRATA_VERSION; }

strata_model* strata_open(const char* package, int threads, int64_t context) {
  return guarded<strata_model*>(nullptr, [&] {
    if (threads < 0 || context < 0) throw usage_error("threads and context are 0 or more");
    auto model = std::make_unique<strata_model>();
    model->path = package;
    model->session = strata::runtime::Session::open(package, {.threads = threads, .context = context});
    return model.release();
  });
}

void strata_close(strata_model* model) { delete model; }

int64_t strata_vocabulary(const strata_model* model) { return model->session->manifest().vocab_size; }

int64_t strata_context(const strata_model* model) { return model->session->context(); }

int64_t strata_position(const strata_model* model) { return model->session->position(); }

int32_t* strata_tokenize(strata_model* model, const char* text, size_t length, size_t* count) {
  return guarded<int32_t*>(nullptr, [&] {
    const auto tokens = text_of(*model).tokenizer.encode({text, length});
    return copied(tokens.data(), tokens.size(), count);
  });
}

char* strata_detokenize(strata_model* model, const int32_t* tokens, size_t count, size_t* length) {
  return guarded<char*>(nullptr, [&] {
    const std::string text = text_of(*model).tokenizer.decode({tokens, count});
    return copied(text.data(), text.size(), length);
  });
}

char* strata_render_chat(strata_model* model, const char* json, size_t* length) {
  return guarded<char*>(nullptr, [&] {
    const auto& text = text_of(*model);
    strata::text::require_chat_template(text, model->path);
    auto chat = strata::text::parse_bounded_json(json, "the chat");
    if (!chat.is_object() || !chat.contains("messages") || !chat["messages"].is_array()) {
      throw usage_error("the chat has no list \"messages\"");
    }
    const std::string rendered = strata::text::render_chat(text, std::move(chat));
    return copied(rendered.data(), rendered.size(), length);
  });
}

void strata_free(void* memory) { std::free(memory); }

const float* strata_feed(strata_model* model, const int32_t* tokens, size_t count) {
  return guarded<const float*>(nullptr, [&] {
    ++model->texts;
    return feed(*model, {tokens, count}).data();
  });
}

int strata_rewind(strata_model* model, int64_t position) {
  return guarded(-1, [&] {
    ++model->texts;
    rewind(*model, position);
    return 0;
  });
}

strata_sampling strata_default_sampling(void) {
  const strata::text::SamplingParameters sampling;
  return {.limit = -1,
          .temperature = sampling.temperature,
          .top_k = sampling.top_k,
          .top_p = sampling.top_p,
          .min_p = sampling.min_p,
          .repeat_penalty = sampling.repeat_penalty,
          .repeat_last_n = sampling.repeat_last_n,
          .presence_penalty = 0,
          .frequency_penalty = 0,
          .seed = 0,
          .ignores_end_tokens = 0,
          .begins_text = 0,
          .stop = nullptr,
          .stop_count = 0};
}

strata_text* strata_begin(strata_model* model, const char* prompt, size_t length, const strata_sampling* sampling) {
  return guarded<strata_text*>(nullptr, [&] { return begin(*model, {prompt, length}, *sampling).release(); });
}

int strata_next(strata_text* text, const char** piece, size_t* length) {
  return guarded(-1, [&] {
    const bool goes_on = advance(*text);
    *piece = text->piece.data();
    *length = text->piece.size();
    return goes_on ? 1 : 0;
  });
}

const char* strata_end(const strata_text* text) { return text->end ? name_of(*text->end) : nullptr; }

void strata_finish(strata_text* text) { delete text; }
