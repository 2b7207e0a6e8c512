// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace strata::jinja {

enum class TokenKind {
  kData,           // text outside of tags, whitespace control applied
  kVariableBegin,  // {{
  kVariableEnd,
  kBlockBegin,  // {%
  kBlockEnd,
  kName,
  kString,   // text: the value, escapes resolved
  kInteger,  // text: the literal without underscores
  kFloat,
  kOperator,
  kEnd,
};

struct Token {
  TokenKind kind;
  std::string text;
  int line;  // 1-based
};

// Cuts a template into tokens with the settings of Hugging Face's chat templates: the first line break after a block
// tag or comment and the spaces before one on its line are dropped (trim_blocks, lstrip_blocks), and so is a line
// break that ends the template. Comments are gone, raw blocks are data. Throws TemplateError.
std::vector<Token> tokenize(const std::string& source);

}  // namespace strata::jinja
