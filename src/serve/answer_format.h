// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "serve/answer_parser.h"
#include "serve/generation.h"
#include "serve/request_reader.h"
#include "text/tokenizer.h"

namespace strata::serve {

struct Usage {
  std::int64_t prompt = 0, made = 0, reused = 0;  // tokens
};

// How an endpoint writes its answer: event by event while it is made, or whole at its end. Both are made of the same
// parts, which come in by add().
class AnswerFormat {
 public:
  virtual ~AnswerFormat() = default;

  // The events of a stream, in the form of server-sent events.
  virtual std::string begin() = 0;
  virtual std::string add(std::size_t choice, const Generation::Piece& piece) = 0;
  virtual std::string end(const Usage& usage) = 0;

  // All that was added.
  virtual Json whole(const Usage& usage) = 0;

  // The event of what went wrong after the stream had begun, its last one.
  virtual std::string error(const ApiError& error);
};

// What is the same in all of an answer.
struct AnswerHead {
  std::string model;
  std::size_t choices = 1;
  bool includes_usage = false;  // in a stream
  bool has_logprobs = false;
  std::int64_t prompt_tokens = 0;
};

// /v1/chat/completions.
std::unique_ptr<AnswerFormat> chat_format(const text::Tokenizer& tokenizer, AnswerHead head,
                                          const AnswerParser::Options& parser);

// /v1/completions; `prefixes` stand before the texts of the choices.
std::unique_ptr<AnswerFormat> completion_format(const text::Tokenizer& tokenizer, AnswerHead head,
                                                std::vector<std::string> prefixes);

// "data: {...}\n\n", in valid UTF-8.
std::string event(const Json& data);
std::string to_text(const Json& value);

std::int64_t unix_time();  // seconds

// "chatcmpl-" and its like, with 24 random characters behind.
std::string random_id(const std::string& prefix);

}  // namespace strata::serve
