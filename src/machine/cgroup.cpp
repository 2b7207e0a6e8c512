// SPDX-License-Identifier: Apache-2.0
#include "machine/cgroup.h"

#include "base/ranges.h"
#include "base/text_file.h"
#include "base/words.h"

namespace strata::machine {
namespace {

void add_lineage(std::vector<Cgroup>& groups, int version, const std::filesystem::path& mount,
                 const std::string& group) {
  std::filesystem::path relative = std::filesystem::path(group).relative_path();
  // A group outside of the namespace: only the mount itself can be seen.
  if (group.find("..") != std::string::npos) relative.clear();
  for (; !relative.empty(); relative = relative.parent_path()) groups.push_back({version, mount / relative});
  groups.push_back({version, mount});
}

bool lists(const std::string& controllers, std::string_view controller) {
  return contains(split(controllers, ','), controller);
}

}  // namespace

std::vector<Cgroup> cgroups(const CgroupPaths& paths, std::string_view controller) {
  std::vector<Cgroup> groups;
  // Each line is "hierarchy:controllers:group"; version 2 names no controllers.
  for (const std::string& line : read_lines(paths.membership)) {
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string group = line.substr(second + 1);
    if (controllers.empty()) {
      add_lineage(groups, 2, paths.mount, group);
      add_lineage(groups, 2, paths.mount / "unified", group);
    } else if (lists(controllers, controller)) {
      add_lineage(groups, 1, paths.mount / controllers, group);
      if (controllers != controller) add_lineage(groups, 1, paths.mount / controller, group);
    }
  }
  return groups;
}

std::optional<std::string> first_line(const std::filesystem::path& path) {
  std::vector<std::string> lines = read_lines(path);
  if (lines.empty() || lines[0].empty()) return std::nullopt;
  return std::move(lines[0]);
}

}  // namespace strata::machine
