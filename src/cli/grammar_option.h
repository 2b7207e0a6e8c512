// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "grammar/matcher.h"
#include "grammar/thoughts.h"

namespace strata::cli {

// What a text may be: a file with a grammar, or with a JSON schema.
struct GrammarOption {
  std::string grammar, schema;
};

// --grammar and --json-schema, one of which may be given.
void add_grammar_option(CLI::App& app, GrammarOption& option);

// Null where neither was given. Throws Error naming the file.
std::shared_ptr<const grammar::CompiledGrammar> load_grammar(const GrammarOption& option,
                                                             grammar::Thoughts thoughts = grammar::Thoughts::kNone);

}  // namespace strata::cli
