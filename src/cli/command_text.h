// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <string_view>

namespace strata::cli {

// All of these are made of what the program's commands declare. `program` is the parser with all its subcommands.

// The manual page strata(1), in man's macros of troff.
std::string man_page(const CLI::App& program);

// What makes a shell complete commands, options and paths: "bash", "zsh" or "fish". Throws usage_error of another
// shell.
std::string completion_script(const CLI::App& program, std::string_view shell);

}  // namespace strata::cli
