// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "serve/constraint.h"
#include "serve/request_reader.h"
#include "serve/tool_format.h"
#include "text/continuation.h"

namespace strata::serve {

// A text, or the tokens that it is.
using Prompt = std::variant<std::string, std::vector<std::int32_t>>;

// What a request says of a text that is to be made, whatever the endpoint.
struct TextRequest {
  text::ContinuationOptions continuation;
  std::optional<std::uint64_t> seed;  // each further choice takes the next one
  std::int64_t choices = 1;           // for each prompt
  bool streams = false;
  bool includes_usage = false;               // in a stream, as a chunk of its own
  std::optional<std::int64_t> top_logprobs;  // of each token so many alternatives; none: no log-probabilities
  bool uses_cache = true;                    // tokens that a slot has computed before
  std::optional<Constraint> constraint;      // of what the text may be
};

struct CompletionRequest {
  TextRequest text;
  std::vector<Prompt> prompts;
  bool echoes = false;
};

struct ChatRequest {
  TextRequest text;
  Json context = Json::object();  // of the chat template: messages, tools, ...
  ToolChoice tools;               // that the answer may call
  bool splits_reasoning = true;   // what the model thinks is no content
};

struct EmbeddingRequest {
  std::vector<Prompt> inputs;
  std::optional<std::int64_t> dimensions;  // the first so many
  bool is_base64 = false;
};

// What requests are checked against.
struct RequestBounds {
  std::int64_t vocabulary = 0;
  text::SamplingParameters sampling = {};  // of requests that say nothing of it
};

// All throw ApiError. What they don't know they pass over, as OpenAI's clients send what later versions know; what
// would change the result, and can't be done, is refused.
CompletionRequest parse_completion_request(const Json& body, const RequestBounds& bounds);
ChatRequest parse_chat_request(const Json& body, const RequestBounds& bounds);
EmbeddingRequest parse_embedding_request(const Json& body, const RequestBounds& bounds);

}  // namespace strata::serve
