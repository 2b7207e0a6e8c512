// SPDX-License-Identifier: Apache-2.0
#include "cli/grammar_option.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.h"
#include "base/json_builder.h"
#include "cli/input.h"
#include "cli/path_roles.h"
#include "grammar/gbnf.h"
#include "grammar/limits.h"
#include "grammar/schema.h"

namespace strata::cli {
namespace {

grammar::Json parse_schema(const std::string& text) {
  JsonBuilder<grammar::Json> builder({.max_depth = grammar::kMaxDepth});
  if (!builder.parse(text)) throw usage_error(builder.error(), "give a JSON schema");
  return builder.take();
}

}  // namespace

void add_grammar_option(CLI::App& app, GrammarOption& option) {
  CLI::Option* grammar =
      reads(app.add_option("--grammar", option.grammar, "Answer as this file's grammar (GBNF) says"));
  reads(app.add_option("--json-schema", option.schema, "Answer JSON as this file's schema says"))->excludes(grammar);
}

std::shared_ptr<const grammar::CompiledGrammar> load_grammar(const GrammarOption& option, grammar::Thoughts thoughts) {
  const std::string& path = option.grammar.empty() ? option.schema : option.grammar;
  if (path.empty()) return nullptr;
  const std::string text = read_input(path);
  try {
    grammar::Grammar grammar =
        option.grammar.empty() ? grammar::schema_grammar(parse_schema(text)) : grammar::parse_gbnf(text);
    grammar.root = grammar.add("the answer", grammar::after_thoughts(thoughts, grammar::rule_of(grammar.root)));
    return std::make_shared<grammar::CompiledGrammar>(grammar);
  } catch (const Error& error) {
    throw usage_error(path + ": " + error.what());
  }
}

}  // namespace strata::cli
