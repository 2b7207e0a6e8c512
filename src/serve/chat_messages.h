// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "serve/request_reader.h"
#include "serve/tool_format.h"

namespace strata::serve {

// What the chat template gets to see of a request of /v1/chat/completions: messages with their contents as texts and
// their tools' arguments as objects, tools, and the members of chat_template_kwargs. `choice`: what the answer may
// call. Throws ApiError.
Json read_chat_context(const RequestReader& body, ToolChoice& choice);

}  // namespace strata::serve
