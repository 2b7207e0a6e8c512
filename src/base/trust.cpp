// SPDX-License-Identifier: Apache-2.0
#include "base/trust.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "base/file_descriptor.h"

namespace strata {

namespace fs = std::filesystem;

std::string reason_to_distrust(const fs::path& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return "";
  if (status.st_uid != ::geteuid() && status.st_uid != 0) {
    return "it belongs to another user (" + std::to_string(status.st_uid) + ")";
  }
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) return "other users can write to it";
  return "";
}

void require_trusted(const fs::path& path) {
  const std::string reason = reason_to_distrust(path);
  if (reason.empty()) return;
  throw resource_error("the cache can't be trusted: " + reason, path.string(),
                       "chown and chmod go-w it, remove it, or set STRATA_CACHE");
}

void make_private_folder(const fs::path& path) {
  std::error_code error;
  if (path.has_parent_path()) fs::create_directories(path.parent_path(), error);
  if (::mkdir(path.c_str(), S_IRWXU) != 0 && (errno != EEXIST || !fs::is_directory(path, error))) {
    throw resource_error("the cache can't be written: " + errno_text(errno), path.string(), "set STRATA_CACHE");
  }
  require_trusted(path);
}

PrivateFiles::PrivateFiles() : before_(::umask(S_IRWXG | S_IRWXO)) {}

PrivateFiles::~PrivateFiles() { ::umask(static_cast<mode_t>(before_)); }

}  // namespace strata
