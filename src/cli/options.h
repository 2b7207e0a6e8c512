// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "compile/workload.h"

namespace strata::cli {

// Validators. Their messages say what was given and what is allowed.
CLI::Validator integer_in(std::int64_t min, std::int64_t max = std::numeric_limits<std::int64_t>::max());
CLI::Validator finite_in(double min, double max = std::numeric_limits<double>::infinity());
CLI::Validator finite_above(double min, double max = std::numeric_limits<double>::infinity());
CLI::Validator one_of(std::vector<std::string> names);

// The options that several commands share, declared alike everywhere.
CLI::Option* add_model(CLI::App& app, std::string& model);
// keep, f32, f16 or bf16.
CLI::Option* add_cache_type(CLI::App& app, std::string& type);
CLI::Option* add_verify(CLI::App& app, bool& verify);
CLI::Option* add_threads(CLI::App& app, int& threads);
CLI::Option* add_workload(CLI::App& app, compile::Workload& workload);
CLI::Option* add_fixed_team(CLI::App& app, bool& fixed_team);
CLI::Option* add_context(CLI::App& app, std::int64_t& context);

// Comma-separated non-negative integers, such as "512,1024". Throws usage_error naming `option` for anything else,
// an empty list, or an integer above `max`.
std::vector<std::int64_t> parse_integer_list(std::string_view text, std::string_view option, std::int64_t min,
                                             std::int64_t max);
std::vector<std::int32_t> parse_token_ids(std::string_view text, std::string_view option);

// Makes every option of `app` readable from STRATA_ARG_<FLAG>, where FLAG is any of its names in capitals with '_' for
// '-': --top-k is STRATA_ARG_TOP_K, -n is STRATA_ARG_N and STRATA_ARG_N_PREDICT.
void bind_environment(CLI::App& app);

}  // namespace strata::cli
