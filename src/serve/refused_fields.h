// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "serve/request_reader.h"

namespace strata::serve {

// A field that would change the answer in a way that this server can't.
struct RefusedField {
  const char* name;
  const char* harmless = "[]";  // a JSON list of the values that change nothing
};

// Of each API, as docs/cli.md lists them.
std::span<const RefusedField> refused_of_texts();  // completions and chats
std::span<const RefusedField> refused_of_completions();
std::span<const RefusedField> refused_of_chats();
std::span<const RefusedField> refused_of_messages();
std::span<const RefusedField> refused_of_responses();

// Throws ApiError naming the first one that is there with another value.
void refuse_fields(const RequestReader& body, std::span<const RefusedField> fields);

}  // namespace strata::serve
