// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "grammar/expression.h"

namespace strata::grammar {

using Json = nlohmann::ordered_json;

// The grammar's rules of JSON's values, made when they are asked for. White space is a space, or a line break or two
// with up to 20 spaces or tabs, at every place where JSON has some, but for the beginning and the end of a text: so
// much that models find their own style, and so little that none goes on with white space forever.
class JsonRules {
 public:
  // The grammar must outlive the rules.
  explicit JsonRules(Grammar& grammar) : grammar_(grammar) {}

  Expression space();
  Expression value();  // any
  Expression object();
  Expression array();
  Expression string();
  Expression number();
  Expression integer();
  Expression boolean() const;
  Expression null() const;
  // A string of so many code points.
  Expression string(std::uint32_t min, std::uint32_t max);

  // This value alone.
  Expression constant(const Json& value);

  // "{", members one behind the other with commas, "}"; elements of an array alike. `inside` may be the empty text.
  Expression braced(Expression inside);
  Expression bracketed(Expression inside);
  Expression member(Expression key, Expression value);  // key: value
  Expression comma_before(Expression part);

 private:
  enum Name { kSpace, kValue, kObject, kArray, kString, kCharacter, kNumber, kInteger, kNames };
  template <typename Make>
  Expression rule(Name name, const char* text, Make make);

  Grammar& grammar_;
  std::array<std::optional<std::uint32_t>, kNames> rules_{};
};

// One of these characters as it stands in a JSON string: as itself, or as its shortest escape.
Expression character_in_json(const CharRanges& ranges);

// What the expression says of a text as it stands in a JSON string, without the quotes. Requires no rules in it and no
// free text.
Expression text_in_json(const Expression& expression);

}  // namespace strata::grammar
