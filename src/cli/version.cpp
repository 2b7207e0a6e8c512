// SPDX-License-Identifier: Apache-2.0
#include "cli/version.h"

namespace strata::cli {

const char* const kVersion = STRATA_VERSION;
const char* const kBuildCommit = STRATA_BUILD_COMMIT;

}  // namespace strata::cli
