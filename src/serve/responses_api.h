// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "serve/answer_format.h"
#include "serve/request_reader.h"

namespace strata::serve {

// OpenAI's newer API. A request of /v1/responses as one of /v1/chat/completions; throws ApiError. Nothing is stored:
// what a request goes on with it must bring along.
Json chat_of_responses(const Json& body);

// `instructions`: of the request, which the answer repeats.
std::unique_ptr<AnswerFormat> responses_format(AnswerHead head, const AnswerParser::Options& parser,
                                               const Json& instructions);

}  // namespace strata::serve
