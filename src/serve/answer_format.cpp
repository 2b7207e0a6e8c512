// SPDX-License-Identifier: Apache-2.0
#include "serve/answer_format.h"

#include <chrono>
#include <random>
#include <utility>

#include "base/utf8.h"

namespace strata::serve {
namespace {

constexpr const char* kDone = "data: [DONE]\n\n";

Json usage_json(const Usage& usage) {
  return {{"prompt_tokens", usage.prompt},
          {"completion_tokens", usage.made},
          {"total_tokens", usage.prompt + usage.made},
          {"prompt_tokens_details", {{"cached_tokens", usage.reused}}}};
}

const char* finish_reason(text::EndOfText end) {
  const bool is_stop = end == text::EndOfText::kEndToken || end == text::EndOfText::kStopString;
  return is_stop ? "stop" : "length";
}

Json reason_or_null(const std::string& reason) { return reason.empty() ? Json(nullptr) : Json(reason); }

// The frame of both formats: ids, chunks, usage.
class Frame {
 public:
  Frame(const text::Tokenizer& tokenizer, AnswerHead head, const std::string& id_prefix, const char* object,
        const char* chunk_object)
      : tokenizer_(tokenizer),
        head_(std::move(head)),
        id_(random_id(id_prefix)),
        object_(object),
        chunk_object_(chunk_object),
        created_(unix_time()) {}

  const AnswerHead& head() const { return head_; }
  const text::Tokenizer& tokenizer() const { return tokenizer_; }

  std::string chunk(Json choice) const {
    Json data = begin(chunk_object_);
    data["choices"] = Json::array({std::move(choice)});
    if (head_.includes_usage) data["usage"] = nullptr;
    return event(data);
  }

  std::string end(const Usage& usage) const {
    if (!head_.includes_usage) return kDone;
    Json data = begin(chunk_object_);
    data["choices"] = Json::array();
    data["usage"] = usage_json(usage);
    return event(data) + kDone;
  }

  Json whole(Json choices, const Usage& usage) const {
    Json data = begin(object_);
    data["choices"] = std::move(choices);
    data["usage"] = usage_json(usage);
    return data;
  }

 private:
  Json begin(const char* object) const {
    return {{"id", id_},
            {"object", object},
            {"created", created_},
            {"model", head_.model},
            {"system_fingerprint", "strata"}};
  }

  const text::Tokenizer& tokenizer_;
  AnswerHead head_;
  std::string id_;
  const char *object_, *chunk_object_;
  std::int64_t created_;
};

Json score_json(const text::Tokenizer& tokenizer, const TokenScore& score) {
  const std::string bytes = tokenizer.token_bytes(score.token);
  Json numbers = Json::array();
  for (const char byte : bytes) numbers.push_back(static_cast<unsigned char>(byte));
  return {{"token", replace_invalid_utf8(bytes)}, {"logprob", score.logprob}, {"bytes", std::move(numbers)}};
}

class ChatFormat : public AnswerFormat {
 public:
  ChatFormat(const text::Tokenizer& tokenizer, AnswerHead head, const AnswerParser::Options& parser)
      : frame_(tokenizer, std::move(head), "chatcmpl-", "chat.completion", "chat.completion.chunk"),
        choices_(frame_.head().choices, Choice(parser)) {}

  std::string begin() override {
    std::string events;
    for (std::size_t i = 0; i < choices_.size(); ++i) {
      events += delta(i, {{"role", "assistant"}, {"content", ""}}, nullptr);
    }
    return events;
  }

  std::string add(std::size_t choice, const Generation::Piece& piece) override {
    Choice& at = choices_[choice];
    Json logprobs = logprobs_of(piece);
    if (frame_.head().has_logprobs) at.logprobs.insert(at.logprobs.end(), logprobs.begin(), logprobs.end());
    std::vector<AnswerPart> parts = at.parser.push(piece.text);
    if (piece.end) {
      for (AnswerPart& part : at.parser.finish()) parts.push_back(std::move(part));
    }
    std::string events;
    for (const AnswerPart& part : parts)
      events += delta(choice, take(at, part), std::exchange(logprobs, Json::array()));
    if (!logprobs.empty()) events += delta(choice, {{"content", ""}}, std::move(logprobs));
    if (piece.end) {
      at.finish = at.tool_calls.empty() ? finish_reason(*piece.end) : "tool_calls";
      events += delta(choice, Json::object(), nullptr);
    }
    return events;
  }

  std::string end(const Usage& usage) override { return frame_.end(usage); }

  Json whole(const Usage& usage) override {
    Json choices = Json::array();
    for (std::size_t i = 0; i < choices_.size(); ++i) choices.push_back(whole_choice(i));
    return frame_.whole(std::move(choices), usage);
  }

 private:
  struct Choice {
    explicit Choice(const AnswerParser::Options& options) : parser(options) {}
    AnswerParser parser;
    std::string content, reasoning, finish;
    Json tool_calls = Json::array(), logprobs = Json::array();
  };

  Json logprobs_of(const Generation::Piece& piece) const {
    Json list = Json::array();
    for (const TokenLogprobs& token : piece.logprobs) {
      Json entry = score_json(frame_.tokenizer(), token.chosen);
      entry["top_logprobs"] = Json::array();
      for (const TokenScore& score : token.top) entry["top_logprobs"].push_back(score_json(frame_.tokenizer(), score));
      list.push_back(std::move(entry));
    }
    return list;
  }

  // Keeps the part; gives it as the delta of a chunk.
  static Json take(Choice& choice, const AnswerPart& part) {
    switch (part.kind) {
      case AnswerPart::Kind::kContent:
        choice.content += part.text;
        return {{"content", part.text}};
      case AnswerPart::Kind::kReasoning:
        choice.reasoning += part.text;
        return {{"reasoning_content", part.text}};
      case AnswerPart::Kind::kToolCall:
        break;
    }
    Json call = {{"id", random_id("call_")},
                 {"type", "function"},
                 {"function", {{"name", part.name}, {"arguments", part.text}}}};
    choice.tool_calls.push_back(call);
    Json indexed = {{"index", choice.tool_calls.size() - 1}};
    indexed.update(call);
    return {{"tool_calls", Json::array({std::move(indexed)})}};
  }

  std::string delta(std::size_t choice, Json content, Json logprobs) const {
    const bool has_logprobs = logprobs.is_array() && !logprobs.empty();
    return frame_.chunk({{"index", choice},
                         {"delta", std::move(content)},
                         {"logprobs", has_logprobs ? content_logprobs(std::move(logprobs)) : Json(nullptr)},
                         {"finish_reason", reason_or_null(choices_[choice].finish)}});
  }

  static Json content_logprobs(Json list) { return {{"content", std::move(list)}, {"refusal", nullptr}}; }

  Json whole_choice(std::size_t index) const {
    const Choice& choice = choices_[index];
    const bool has_calls = !choice.tool_calls.empty();
    Json message = {{"role", "assistant"}};
    message["content"] = has_calls ? reason_or_null(choice.content) : Json(choice.content);
    message["refusal"] = nullptr;
    if (!choice.reasoning.empty()) message["reasoning_content"] = choice.reasoning;
    if (has_calls) message["tool_calls"] = choice.tool_calls;
    return {{"index", index},
            {"message", std::move(message)},
            {"logprobs", frame_.head().has_logprobs ? content_logprobs(choice.logprobs) : Json(nullptr)},
            {"finish_reason", choice.finish}};
  }

  Frame frame_;
  std::vector<Choice> choices_;
};

class CompletionFormat : public AnswerFormat {
 public:
  CompletionFormat(const text::Tokenizer& tokenizer, AnswerHead head, std::vector<std::string> prefixes)
      : frame_(tokenizer, std::move(head), "cmpl-", "text_completion", "text_completion"),
        choices_(frame_.head().choices),
        prefixes_(std::move(prefixes)) {}

  std::string begin() override {
    std::string events;
    for (std::size_t i = 0; i < prefixes_.size(); ++i) {
      choices_[i].text = prefixes_[i];
      if (!prefixes_[i].empty()) events += chunk(i, prefixes_[i], nullptr);
    }
    return events;
  }

  std::string add(std::size_t choice, const Generation::Piece& piece) override {
    Choice& at = choices_[choice];
    Json logprobs = nullptr;
    if (!piece.logprobs.empty()) logprobs = logprobs_of(at, piece);
    at.text += piece.text;
    if (piece.end) at.finish = finish_reason(*piece.end);
    if (piece.text.empty() && !piece.end && logprobs.is_null()) return "";
    return chunk(choice, piece.text, std::move(logprobs));
  }

  std::string end(const Usage& usage) override { return frame_.end(usage); }

  Json whole(const Usage& usage) override {
    Json choices = Json::array();
    for (std::size_t i = 0; i < choices_.size(); ++i) {
      const Json logprobs = frame_.head().has_logprobs ? choices_[i].logprobs : Json(nullptr);
      choices.push_back(choice_json(i, choices_[i].text, logprobs));
    }
    return frame_.whole(std::move(choices), usage);
  }

 private:
  struct Choice {
    std::string text, finish;
    std::size_t offset = 0;  // characters, of the tokens so far
    Json logprobs = no_logprobs();
  };

  static Json no_logprobs() {
    return {{"tokens", Json::array()},
            {"token_logprobs", Json::array()},
            {"top_logprobs", Json::array()},
            {"text_offset", Json::array()}};
  }

  Json logprobs_of(Choice& choice, const Generation::Piece& piece) const {
    Json out = no_logprobs();
    const auto spelling = [&](std::int32_t id) { return replace_invalid_utf8(frame_.tokenizer().token_bytes(id)); };
    for (const TokenLogprobs& token : piece.logprobs) {
      const std::string text = spelling(token.chosen.token);
      Json top = Json::object();
      for (const TokenScore& score : token.top) top[spelling(score.token)] = score.logprob;
      out["tokens"].push_back(text);
      out["token_logprobs"].push_back(token.chosen.logprob);
      out["top_logprobs"].push_back(std::move(top));
      out["text_offset"].push_back(choice.offset);
      choice.offset += count_code_points(text);
    }
    for (const auto& [name, list] : out.items()) {
      choice.logprobs[name].insert(choice.logprobs[name].end(), list.begin(), list.end());
    }
    return out;
  }

  Json choice_json(std::size_t choice, const std::string& text, const Json& logprobs) const {
    return {{"text", text},
            {"index", choice},
            {"logprobs", logprobs},
            {"finish_reason", reason_or_null(choices_[choice].finish)}};
  }

  std::string chunk(std::size_t choice, const std::string& text, const Json& logprobs) const {
    return frame_.chunk(choice_json(choice, text, logprobs));
  }

  Frame frame_;
  std::vector<Choice> choices_;
  std::vector<std::string> prefixes_;
};

}  // namespace

std::unique_ptr<AnswerFormat> chat_format(const text::Tokenizer& tokenizer, AnswerHead head,
                                          const AnswerParser::Options& parser) {
  return std::make_unique<ChatFormat>(tokenizer, std::move(head), parser);
}

std::unique_ptr<AnswerFormat> completion_format(const text::Tokenizer& tokenizer, AnswerHead head,
                                                std::vector<std::string> prefixes) {
  return std::make_unique<CompletionFormat>(tokenizer, std::move(head), std::move(prefixes));
}

std::int64_t unix_time() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::seconds>(now).count();
}

std::string to_text(const Json& value) { return value.dump(-1, ' ', false, Json::error_handler_t::replace); }

std::string AnswerFormat::error(const ApiError& error) { return event(error.to_json()); }

std::string event(const Json& data) { return "data: " + to_text(data) + "\n\n"; }

std::string random_id(const std::string& prefix) {
  static thread_local std::mt19937_64 random{std::random_device{}()};
  constexpr std::string_view kCharacters = "0123456789abcdefghijklmnopqrstuvwxyz";
  std::string id = prefix;
  for (int i = 0; i < 24; ++i) id += kCharacters[random() % kCharacters.size()];
  return id;
}

}  // namespace strata::serve
