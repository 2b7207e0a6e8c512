// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace strata::compile {

// Object files of other compilations, in a folder, by a key of what they were made from. They are not flushed to the
// disk: a checksum of key and content at a file's end tells what a power loss, or anything else, has damaged.
class ObjectCache {
 public:
  // Makes the folder if need be. Throws resource_error when it can't be written or can't be trusted.
  explicit ObjectCache(std::filesystem::path folder);

  // The object's bytes; nullopt when there is none or it is damaged. Throws resource_error for one that others could
  // have written.
  std::optional<std::string> find(const std::string& key) const;

  // Appears whole; `scratch` is a folder on the same file system for what is not yet.
  void keep(const std::string& key, const std::string& object, const std::filesystem::path& scratch) const;

  const std::filesystem::path& folder() const { return folder_; }

 private:
  std::filesystem::path path_of(const std::string& key) const { return folder_ / (key + ".o"); }

  std::filesystem::path folder_;
};

}  // namespace strata::compile
