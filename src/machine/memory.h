// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>

#include "machine/cgroup.h"

namespace strata::machine {

// Bytes that this process can still take without swapping or being killed: what the kernel calls available, cut to what
// the cgroup's limit (v1 or v2) leaves; file pages that can be dropped count as free. INT64_MAX when nothing is known.
std::int64_t available_memory(const CgroupPaths& paths = {}, const std::filesystem::path& meminfo = "/proc/meminfo");

}  // namespace strata::machine
