// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "cli/explanation.h"

namespace strata::cli {

// For people: a table of the ops between the totals and, when measured, how well they were predicted. `details` lists
// each op's types and all alternatives too.
std::string explanation_md(const Explanation& explanation, bool details);

// The contract's JSON (docs/cli.md), one object.
std::string explanation_json(const Explanation& explanation);

// The slowest first.
std::vector<plan::RuleStats> by_time(std::vector<plan::RuleStats> rules);

// What the search did, in one line.
std::string search_text(const plan::SearchStats& stats);

}  // namespace strata::cli
