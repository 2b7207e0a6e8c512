// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "grammar/json_rules.h"

namespace strata::grammar {

// A schema at its path in the document.
struct SchemaAt {
  Json schema;
  std::string path;
};

// Schemas of one document with its references, combinations and conditions taken apart.
class SchemaMerger {
 public:
  // The document must outlive the merger.
  explicit SchemaMerger(const Json& document) : document_(document) {}

  // Schemas without $ref, allOf, anyOf and oneOf of which any one holds where this one does. Throws usage_error for
  // keywords that aren't known, or can't be merged.
  std::vector<SchemaAt> alternatives(const SchemaAt& at, int depth = 0);

  // What a $ref names: a place of the document.
  SchemaAt target(const SchemaAt& at);

  // The schema without what changes no answer. Throws usage_error for a keyword that isn't known, or malformed.
  Json keywords_of(const SchemaAt& at);

  // Throws usage_error where alternatives of its oneOf may hold at once.
  void check_disjoint(const SchemaAt& at);

  // Whether no value is one of both, as far as types, constants and properties that both must have tell.
  bool are_disjoint(const SchemaAt& a, const SchemaAt& b, int depth = 0);

 private:
  std::vector<SchemaAt> product(const std::vector<SchemaAt>& a, const std::vector<SchemaAt>& b);
  std::vector<SchemaAt> union_of(const SchemaAt& at, const char* keyword, int depth);
  void account(const Json& schema);
  Json merged(const SchemaAt& a, const SchemaAt& b);
  bool are_plainly_disjoint(const Json& a, const Json& b, const std::string& path, int depth);

  const Json& document_;
  std::size_t work_ = 0;  // values
};

// Throws the usage_error of a keyword at a path.
[[noreturn]] void refuse_keyword(const std::string& path, const std::string& keyword, const std::string& why);

// A schema that both hold of.
Json all_of(const Json& a, const Json& b);

// The types that a schema names, integer beside number; of none those that its keywords are of, or all.
std::vector<std::string> types_of(const Json& schema, const std::string& path);

// Whether one of a list's values is this one.
bool has_value(const Json& list, const Json& value);

std::string path_below(const std::string& path, const std::string& name);

}  // namespace strata::grammar
