// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>

namespace strata::compile {

// Runs task(i) for i in [0, count) on so many threads, the caller's among them. The first exception stops the rest and
// is thrown again.
void parallel_for(std::size_t count, int threads, const std::function<void(std::size_t)>& task);

}  // namespace strata::compile
