// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/error.h"
#include "base/subprocess.h"

namespace strata::compile {

// The error for a program of the toolchain that failed. Where a full disk, lack of memory or a signal ended it, or a
// program that it called, that is the cause, whatever else it printed: resource_error, or toolchain_error with the
// signal's name when it crashed. Otherwise the toolchain_error of `what`, `where` and `remedy`.
Error tool_failure(const ProcessResult& result, const std::string& what, const std::string& where,
                   const std::string& remedy);

}  // namespace strata::compile
