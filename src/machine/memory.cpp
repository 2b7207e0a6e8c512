// SPDX-License-Identifier: Apache-2.0
#include "machine/memory.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <string>

#include "base/text_file.h"
#include "base/words.h"

namespace strata::machine {
namespace {

std::optional<std::int64_t> number(std::string_view text) {
  const auto value = number_of<std::int64_t>(text);
  return value && *value >= 0 ? value : std::nullopt;
}

std::optional<std::int64_t> number_in(const std::filesystem::path& path) {
  return number(first_line(path).value_or(""));
}

// The value after a word at the start of a line: "MemAvailable:  123 kB", "inactive_file 123".
std::optional<std::int64_t> value_of(const std::filesystem::path& path, const std::string& name) {
  for (const std::string& line : read_lines(path)) {
    const std::vector<std::string_view> parts = words(line);
    if (parts.size() >= 2 && parts[0] == name) return number(parts[1]);
  }
  return std::nullopt;
}

// What a group's limit leaves; nullopt without a limit.
std::optional<std::int64_t> left_in(const Cgroup& group) {
  const bool second = group.version == 2;
  const auto limit = number_in(group.folder / (second ? "memory.max" : "memory.limit_in_bytes"));
  const auto used = number_in(group.folder / (second ? "memory.current" : "memory.usage_in_bytes"));
  if (!limit || !used) return std::nullopt;
  const char* const total = second ? "" : "total_";
  std::int64_t droppable = 0;
  for (const char* name : {"active_file", "inactive_file"}) {
    droppable += value_of(group.folder / "memory.stat", std::string(total) + name).value_or(0);
  }
  return std::max<std::int64_t>(0, *limit - std::max<std::int64_t>(0, *used - droppable));
}

}  // namespace

std::int64_t available_memory(const CgroupPaths& paths, const std::filesystem::path& meminfo) {
  std::int64_t available = std::numeric_limits<std::int64_t>::max();
  if (const auto kib = value_of(meminfo, "MemAvailable:"); kib && *kib < available / 1024) available = *kib * 1024;
  for (const Cgroup& group : cgroups(paths, "memory")) {
    if (const auto left = left_in(group)) available = std::min(available, *left);
  }
  return available;
}

}  // namespace strata::machine
