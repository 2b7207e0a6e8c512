// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>

namespace strata::cli {

// Declares that the option's value is a path which the command reads (a file, or a model's folder) or writes (a file).
// Its help shows which.
CLI::Option* reads(CLI::Option* option);
CLI::Option* writes(CLI::Option* option);

// Throws usage_error when a file that the parsed command line would write is one that it reads, by whatever path or
// link, or when two outputs are one file. Standard input counts when it is a file.
void refuse_overwriting(const CLI::App& command);

}  // namespace strata::cli
