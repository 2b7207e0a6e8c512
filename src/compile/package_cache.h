// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>

namespace strata::compile {

// What a cached package was made from. Of the same inputs another package runs as well, if not as fast.
struct PackageKey {
  std::string inputs;  // the model, the options, the machine, this program
  std::string making;  // the compiler and its flags, the team that the plan is for
  std::string text() const { return inputs + "-" + making; }
};

// Compiled packages of other runs, in a folder, by what they were made from. They take at most half of the space that
// the disk would have free without them: those that were not used for the longest time are removed first. Reading needs
// no writing: what is there can be used in a folder that is read-only.
class PackageCache {
 public:
  // Throws resource_error for a folder that is there and can't be trusted.
  explicit PackageCache(std::filesystem::path folder);

  // The package of this key, if it is there and not damaged: all its sections are verified, once per file, or `always`.
  // Throws resource_error for one that others could have written.
  std::optional<std::filesystem::path> find(const std::string& key, bool always) const;

  // Of these inputs, made by whatever compiler for whatever team, the one that was used last.
  std::optional<std::filesystem::path> find_any(const std::string& inputs, bool always) const;

  // Makes the folder. Throws resource_error when it can't be written.
  void create() const;

  std::filesystem::path path_of(const std::string& key) const { return folder_ / (key + ".strata"); }

  // To be held while a package is made. Its file's time is that of the package's last use: the package itself must keep
  // its times, by which it is known as verified.
  std::filesystem::path lock_of(const std::string& key) const { return folder_ / (key + ".lock"); }

  // Marks a package as used now, where that can be written.
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
