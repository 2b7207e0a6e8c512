// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/mapped_file.h"

namespace strata {

// What was learned by reading whole files, such as a hash of their content: remembered in a folder, one small record a
// file, and believed while the file's stamp is the same. It only saves work: a record that is missing, damaged or
// can't be written is none, and one in a folder that can't be trusted isn't believed.
class FileMemory {
 public:
  // An empty folder: nothing is remembered.
  explicit FileMemory(std::filesystem::path folder) : folder_(std::move(folder)) {}

  // In the cache.
  static FileMemory in_cache();

  // The fact of this kind about a file with this stamp.
  std::optional<std::string> recall(std::string_view kind, const FileStamp& stamp) const;

  // Neither text has white space. A file that was changed in the two seconds before `now_ns` (since the epoch) isn't
  // remembered: the next change could leave the same times on a file system that counts seconds.
  void remember(std::string_view kind, const FileStamp& stamp, std::string_view fact, std::int64_t now_ns) const;
  void remember(std::string_view kind, const FileStamp& stamp, std::string_view fact) const;

 private:
  std::filesystem::path record_of(std::string_view kind, const FileStamp& stamp) const;

  std::filesystem::path folder_;
};

}  // namespace strata
