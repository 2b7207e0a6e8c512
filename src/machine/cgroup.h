// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace strata::machine {

// Where the kernel shows the control groups.
struct CgroupPaths {
  std::filesystem::path membership = "/proc/self/cgroup";
  std::filesystem::path mount = "/sys/fs/cgroup";
};

struct Cgroup {
  int version = 2;
  std::filesystem::path folder;  // may not exist: inside of a container the path may be one of the host's
};

// The groups of this process that may limit what the controller ("cpu", "memory") governs, each followed by those above
// it up to the mount.
std::vector<Cgroup> cgroups(const CgroupPaths& paths, std::string_view controller);

// nullopt: there is no such file, or it is empty.
std::optional<std::string> first_line(const std::filesystem::path& path);

}  // namespace strata::machine
