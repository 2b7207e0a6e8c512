// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "grammar/expression.h"
#include "serve/request_reader.h"

namespace strata::serve {

// How a family of models writes the call of a tool: between two markers a JSON object with the tool's name and its
// arguments. Without markers the call is the whole answer.
struct ToolFormat {
  std::string_view begin, end;
  std::string_view arguments;  // the member that holds them
  std::string_view mark;       // what a chat template writes where it shows tools
};

// The format that the prompt asks for, which the same prompt without tools doesn't.
const ToolFormat& tool_format_of(std::string_view prompt, std::string_view without_tools);

// What a request says of the tools that an answer may call.
struct ToolChoice {
  enum class Kind { kNone, kAuto, kRequired };
  Kind kind = Kind::kNone;
  Json tools = Json::array();  // those that may be called
  bool is_parallel = true;     // several calls in one answer

  // Whether calls must be as the tools' parameters say: a tool is strict, or one must be called.
  bool is_constrained() const;
};

// Calls of tools, one behind the other where there may be several: of strict ones, and where a call is required, with
// arguments as their parameters say. Throws ApiError for parameters that a grammar can't say.
grammar::Expression calls_of_tools(const ToolChoice& choice, const ToolFormat& format, grammar::Grammar& grammar);

// An answer: as `content` says, or calls; without content any text, and calls among it.
grammar::Expression answer_with_tools(const ToolChoice& choice, const ToolFormat& format,
                                      const grammar::Expression* content, grammar::Grammar& grammar);

}  // namespace strata::serve
