// SPDX-License-Identifier: Apache-2.0
// A request's body: parsing it as each endpoint does ends with a request or an error, and so does what follows: the
// parser of answers gives the same parts wherever they are cut. The first byte chooses what is fuzzed.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "serve/answer_parser.h"
#include "serve/api_error.h"
#include "serve/connection.h"
#include "serve/messages_api.h"
#include "serve/responses_api.h"
#include "serve/text_request.h"

namespace {

using strata::serve::AnswerParser;
using strata::serve::AnswerPart;

const strata::serve::RequestBounds kBounds{.vocabulary = 1000};

enum class Api { kChat, kCompletion, kMessages, kResponses, kEmbeddings };

void parse(std::string_view body, Api api) {
  using namespace strata::serve;
  try {
    const Json json = parse_body(body);
    if (api == Api::kChat) (void)parse_chat_request(json, kBounds);
    if (api == Api::kCompletion) (void)parse_completion_request(json, kBounds);
    if (api == Api::kMessages) (void)parse_chat_request(chat_of_messages(json), kBounds);
    if (api == Api::kResponses) (void)parse_chat_request(chat_of_responses(json), kBounds);
    if (api == Api::kEmbeddings) (void)parse_embedding_request(json, kBounds);
  } catch (const strata::serve::ApiError& error) {
    if (error.status() != 400) std::abort();
  }
}

std::string answer(std::string_view text, std::size_t piece) {
  AnswerParser parser({.tools = &strata::serve::tool_format_of("<tool_call>", "")});
  std::string written;
  char last = 0;
  const auto write = [&](const std::vector<AnswerPart>& parts) {
    for (const AnswerPart& part : parts) {
      const char kind = "crt"[static_cast<int>(part.kind)];
      if (kind != last || kind == 't') written += std::string("\1") + kind + part.name + "\2";
      last = kind;
      written += part.text;
    }
  };
  for (std::size_t at = 0; at < text.size(); at += piece) write(parser.push(text.substr(at, piece)));
  write(parser.finish());
  return written;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 7) {
    case 0:
      parse(rest, Api::kChat);
      break;
    case 1:
      parse(rest, Api::kCompletion);
      break;
    case 4:
      parse(rest, Api::kMessages);
      break;
    case 5:
      parse(rest, Api::kResponses);
      break;
    case 6:
      parse(rest, Api::kEmbeddings);
      break;
    case 2:
      if (answer(rest, 1) != answer(rest, rest.size() + 1)) std::abort();
      break;
    default:
      if (strata::serve::kept_header(rest).size() > rest.size()) std::abort();
  }
  return 0;
}
