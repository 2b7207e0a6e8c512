// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

// Calls of operator new in this test program so far, by any thread.
std::int64_t allocations();
