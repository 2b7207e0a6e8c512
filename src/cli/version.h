// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace strata::cli {

extern const char* const kVersion;      // "0.1.0"
extern const char* const kBuildCommit;  // "1a2b3c4", or "unknown"

}  // namespace strata::cli
