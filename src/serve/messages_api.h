// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "serve/answer_format.h"
#include "serve/request_reader.h"

namespace strata::serve {

// Anthropic's API. A request of /v1/messages as one of /v1/chat/completions; throws ApiError.
Json chat_of_messages(const Json& body);

std::unique_ptr<AnswerFormat> messages_format(AnswerHead head, const AnswerParser::Options& parser);

}  // namespace strata::serve
