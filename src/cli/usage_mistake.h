// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <span>
#include <string>

#include "base/error.h"
#include "cli/command.h"

namespace strata::cli {

// The usage_error for a name that is no command.
Error unknown_command(const std::string& name);

// The usage_error for arguments of `command` that `app` couldn't parse: it says what was probably meant. `message` is
// the parser's own.
Error parse_mistake(const Command& command, const CLI::App& app, std::span<const char* const> arguments,
                    const std::string& message);

// `error` with the option that it blames, or whose value it shows, called by the name of the environment variable from
// which the value came.
Error blame_environment(const Error& error, const CLI::App& app);

}  // namespace strata::cli
