// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <initializer_list>
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

// Throws the usage_error for the first of these options that was given: what it is said to be, and what to do.
void refuse_given(const CLI::App& command, std::initializer_list<const char*> options, const std::string& what,
                  const std::string& remedy);

// `error` with the option that it blames, or whose value it shows, called by the name of the environment variable from
// which the value came.
Error blame_environment(const Error& error, const CLI::App& app);

}  // namespace strata::cli
