// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "egraph/egraph.h"

namespace strata::egraph {

// The names of a rule's variables, with their "?". Those that the rule's text doesn't name are called "".
struct Variables {
  std::vector<std::string> classes;
  std::vector<std::string> payloads;

  std::optional<std::uint32_t> class_index(std::string_view name) const;
  std::optional<std::uint32_t> payload_index(std::string_view name) const;
};

struct PatternNode {
  enum class Kind : std::uint8_t { kVariable, kOperator };

  Kind kind = Kind::kVariable;
  bool fixed_payload = false;
  std::uint32_t variable = 0;  // kVariable: the class variable's index
  Symbol op = 0;
  std::uint32_t payload = 0;  // a Payload if fixed, otherwise a payload variable's index
  std::vector<std::uint32_t> children;
};

// A term with variables; children stand before their parents, the root is the last node.
struct Pattern {
  std::vector<PatternNode> nodes;
  const PatternNode& root() const { return nodes.back(); }
};

struct MultiPattern {
  std::vector<Pattern> patterns;
  // The class variable that names each pattern's root; "" in the table of variables if the text names none.
  std::vector<std::uint32_t> roots;
};

// What a number in a rule's text stands for: a leaf.
using LiteralResolver = std::function<std::pair<Symbol, Payload>(std::string_view)>;

// What the payload of an operator written without braces means.
enum class BarePayload { kAny, kZero };

// The text form of patterns:
//
//     rule    = pattern | ?root = pattern {; ?root = pattern}
//     pattern = ?variable | number | operator [{[?payload]}] [(pattern {, pattern})]
//
// f{?p}(?x) binds the operator's payload, which must be the same wherever ?p stands; f{}(?x) has the payload 0; f(?x)
// has any payload (kAny) or 0 (kZero). Variables are added to the table. Throws std::logic_error naming `origin` and
// the column: rules are our own text.
MultiPattern parse_patterns(std::string_view text, const std::string& origin, Symbols& symbols, Variables& variables,
                            BarePayload bare, const LiteralResolver& literals = {});

// Adds a term without variables, written like a pattern.
ClassId add_term(EGraph& graph, std::string_view text, const LiteralResolver& literals = {});

}  // namespace strata::egraph
