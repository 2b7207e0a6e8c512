// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>

namespace strata {

// Why somebody else may have made or changed what lies at `path`: it is another user's (the administrator's is not), or
// others can write to it. Empty: no reason, or there is nothing.
std::string reason_to_distrust(const std::filesystem::path& path);

// For what is run or believed without being read: throws resource_error, by name, where there is such a reason.
void require_trusted(const std::filesystem::path& path);

// Makes the folder, mode 0700, and what leads to it; one that is there stays as it is. Throws resource_error when it
// can't be made or can't be trusted.
void make_private_folder(const std::filesystem::path& path);

// While it lives, files that this process makes can be read and written by this user alone, as with umask 077. For one
// thread at a time.
class PrivateFiles {
 public:
  PrivateFiles();
  ~PrivateFiles();
  PrivateFiles(const PrivateFiles&) = delete;
  PrivateFiles& operator=(const PrivateFiles&) = delete;

 private:
  unsigned before_;
};

}  // namespace strata
