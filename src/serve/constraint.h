// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "grammar/matcher.h"
#include "grammar/thoughts.h"
#include "serve/request_reader.h"
#include "serve/tool_format.h"

namespace strata::serve {

// What a request says of the text that is to be made.
struct Constraint {
  enum class Kind { kJsonObject, kSchema, kGbnf, kChoice, kPattern };
  Kind kind = Kind::kJsonObject;
  Json value;         // the schema, grammar, list of texts or pattern
  std::string field;  // where the request says so
};

// From response_format (OpenAI's), grammar and json_schema (llama.cpp's), guided_json, guided_grammar, guided_choice,
// guided_regex and structured_outputs (vLLM's), of which one may be there. Throws ApiError.
std::optional<Constraint> read_constraint(const RequestReader& body);

// All that the grammar of a text depends on.
struct AnswerShape {
  std::optional<Constraint> constraint;
  ToolChoice tools;
  const ToolFormat* tool_format = nullptr;  // where tools are constrained
  grammar::Thoughts thoughts = grammar::Thoughts::kNone;
};

// The grammars of the last requests, compiled, with what is known of them: requests that ask alike share them. Any
// thread may ask.
class GrammarCache {
 public:
  // Null where any text will do. Throws ApiError.
  std::shared_ptr<const grammar::CompiledGrammar> get(const AnswerShape& shape);

 private:
  using Entry = std::pair<std::string, std::shared_ptr<const grammar::CompiledGrammar>>;

  std::mutex mutex_;
  std::vector<Entry> entries_;  // the last used first
};

}  // namespace strata::serve
