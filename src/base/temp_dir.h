// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string_view>

#include "base/file_descriptor.h"
#include "base/temporary_path.h"

namespace strata {

// A private folder (mode 0700) that is removed with its content on destruction. It is locked while it lives, so that
// folders which a killed process left behind can be told from those in use.
class TempDir {
 public:
  // Makes PARENT/PREFIX-XXXXXX. Throws resource_error when it can't.
  explicit TempDir(const std::filesystem::path& parent, std::string_view prefix = "tmp");
  ~TempDir();
  TempDir(TempDir&& other) noexcept;
  TempDir& operator=(TempDir&&) = delete;
  TempDir(const TempDir&) = delete;

  const std::filesystem::path& path() const { return path_; }

  // Removes the folders PARENT/PREFIX-XXXXXX that no living process owns. Returns how many.
  static int remove_stale(const std::filesystem::path& parent, std::string_view prefix = "tmp");

 private:
  std::filesystem::path path_;
  TemporaryPath registered_;
  FileDescriptor lock_;
};

}  // namespace strata
