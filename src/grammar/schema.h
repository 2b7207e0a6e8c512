// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "grammar/expression.h"
#include "grammar/json_rules.h"

namespace strata::grammar {

// The JSON texts that a JSON schema (drafts 4 to 2020-12) allows, and no others, but not all of them: properties come
// in the schema's order, those that it doesn't name only where additionalProperties says so, numbers have few digits.
// docs/cli.md lists the keywords. Refers to the schema's document in its rules; adds them to the grammar. Throws
// usage_error naming the keyword that is not supported, and its path.
Expression add_schema(const Json& schema, Grammar& grammar);

// A grammar that is the schema's alone, or that of any JSON object.
Grammar schema_grammar(const Json& schema);
Grammar json_object_grammar();

// A text that is one of these.
Grammar choice_grammar(std::span<const std::string> texts);

// The texts in which a regular expression is found; anchors bound it.
Grammar pattern_grammar(std::string_view pattern);

}  // namespace strata::grammar
