// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "cli/op_timing.h"

namespace strata::cli {

// Where a test's time went: a Markdown table of its ops under a line that names the test and what part of its
// `test_s` seconds they took. Counts and times are those of one of `repetitions`.
std::string profile_table(const std::string& test, const std::vector<OpTiming>& ops, int repetitions, double test_s);

// The same as a list of objects.
nlohmann::ordered_json profile_json(const std::vector<OpTiming>& ops, int repetitions);

}  // namespace strata::cli
