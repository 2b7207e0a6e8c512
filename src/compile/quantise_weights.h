// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "base/scratch_file.h"
#include "import/own_blocks.h"

namespace strata::compile {

// Quantises the matrices on so many threads, each once, and gives them their bytes: in the file that is returned, which
// lies in the cache's folder while it lives. `progress` is called by one thread at a time, with rising shares. Throws
// model_error for a matrix that has numbers which are not finite, or too large.
ScratchFile quantise_weights(const importer::Checkpoint& checkpoint, importer::OwnBlocks& matrices, int threads,
                             const std::function<void(double done)>& progress = {});

}  // namespace strata::compile
