// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

namespace strata::compile {

// Compiled packages of other runs, in a folder, by a key of what they were made from. They take at most half of the
// space that the disk would have free without them: those that were not used for the longest time are removed first.
class PackageCache {
 public:
  // Creates the folder. Throws resource_error when it can't be written.
  explicit PackageCache(std::filesystem::path folder);

  std::filesystem::path path_of(const std::string& key) const { return folder_ / (key + ".strata"); }
  std::filesystem::path lock_of(const std::string& key) const { return folder_ / (key + ".lock"); }

  // Marks a package as used now.
  void touch(const std::filesystem::path& package) const;

  // Removes old packages until one more of so many bytes has room. A package that is being written stays; one that is
  // in use lives on until its last user ends.
  void make_room(std::uint64_t bytes) const;

 private:
  std::filesystem::path folder_;
};

// Of packages of these sizes, oldest first, how many have to go so that one of `incoming` bytes has room on a disk with
// so much free space.
std::size_t packages_to_remove(std::span<const std::uint64_t> sizes, std::uint64_t incoming, std::uint64_t free_bytes);

}  // namespace strata::compile
