// SPDX-License-Identifier: Apache-2.0
#include "cli/version.h"

#include "cli/command.h"

namespace strata::cli {

const char* const kVersion = STRATA_VERSION;
const char* const kBuildCommit = STRATA_BUILD_COMMIT;

Action declare_version(CLI::App&, Console& console) {
  return [&console] { console.out("strata " + std::string(kVersion) + " (" + kBuildCommit + ")\n"); };
}

}  // namespace strata::cli
