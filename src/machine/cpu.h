// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "machine/cgroup.h"

namespace strata::machine {

// The architecture that this program was built for: "x86_64", "aarch64", "riscv64" or "unknown".
std::string_view host_arch();

// Instruction set extensions that processor and operating system offer, by the names of the compilers' -m flags:
// "avx512f", "sse4.2", "dotprod", "v". In a fixed order, baseline first.
std::vector<std::string> detected_features();

bool has_feature(std::string_view name);

// Those of `required` that this processor lacks; a name that we don't know counts as lacking.
std::vector<std::string> missing_features(std::span<const std::string> required);

// Processors that the cgroup's quota pays for, of v1 and v2, the tightest of the groups on the way to the root; 0 when
// there is no quota.
double cpu_quota(const CgroupPaths& paths = {});

// Processors of the calling thread's affinity mask, ascending.
std::vector<int> affinity();

// Threads that can run at once: the affinity mask, cut to the quota rounded up; at least 1.
int allowed_threads(const CgroupPaths& paths = {});

}  // namespace strata::machine
