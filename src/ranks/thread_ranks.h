// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "ranks/transport.h"

namespace strata::ranks {

// Ranks that are threads of one process, which share memory: for tests. Each thread takes one of them.
std::vector<std::unique_ptr<Transport>> thread_ranks(int size);

}  // namespace strata::ranks
