// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "cli/explanation.h"

namespace strata::cli {

// What the page shows.
struct ExplainedModel {
  std::vector<Explanation> steps;  // decoding and prefill, or one of them; of one plan
  std::string source;              // the package's generated C++; empty: there is no package
  std::vector<std::pair<std::string, std::string>> provenance;  // what the figures are of, by name
};

// One page that needs nothing else: why the model runs as fast as it does. Headlines, a layer with areas of time, the
// ops with all that is known of each, the roofline plot, what the search did, the arena. Well-formed XML, light or dark
// as the reader's system is; a script sorts and links, and what it does not do is there without it. Requires at least
// one step.
std::string explanation_html(const ExplainedModel& model);

}  // namespace strata::cli
