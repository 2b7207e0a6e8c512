// SPDX-License-Identifier: Apache-2.0
#include "base/file_memory.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <random>
#include <vector>

#include "base/cache_folder.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/text_file.h"
#include "base/trust.h"
#include "base/words.h"

namespace strata {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kClockStep_ns = 2'000'000'000;
constexpr std::size_t kMaxRecordBytes = 4096;
constexpr std::ptrdiff_t kMaxRecords = 4096;

// "kind size mtime ctime fact", and its hash: a record that a power loss cut short says nothing.
std::string sealed(std::string_view kind, const FileStamp& stamp, std::string_view fact) {
  std::string text(kind);
  for (const auto& number : {std::to_string(stamp.device), std::to_string(stamp.inode), std::to_string(stamp.size),
                             std::to_string(stamp.mtime_ns), std::to_string(stamp.ctime_ns)}) {
    text += " " + number;
  }
  text += " " + std::string(fact);
  return text + " " + hex(hash64(text)) + "\n";
}

std::int64_t now() {
  const auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(since_epoch).count();
}

// Records are cheap to make again, and those of files that are gone can't be told: too many, and all go.
void bound_records(const fs::path& folder) {
  std::error_code error;
  if (std::distance(fs::directory_iterator(folder, error), {}) < kMaxRecords) return;
  for (const auto& entry : fs::directory_iterator(folder, error)) fs::remove(entry.path(), error);
}

}  // namespace

FileMemory FileMemory::in_cache() {
  const fs::path cache = find_cache_folder();
  if (cache.empty() || !reason_to_distrust(cache).empty()) return FileMemory({});
  return FileMemory(cache / "files");
}

fs::path FileMemory::record_of(std::string_view kind, const FileStamp& stamp) const {
  return folder_ / Hasher().field(kind).field(stamp.device).field(stamp.inode).digest128().hex();
}

std::optional<std::string> FileMemory::recall(std::string_view kind, const FileStamp& stamp) const {
  if (folder_.empty() || !reason_to_distrust(folder_).empty()) return std::nullopt;
  const fs::path record = record_of(kind, stamp);
  std::error_code ignored;
  if (!fs::exists(record, ignored) || !reason_to_distrust(record).empty()) return std::nullopt;
  std::string text;
  try {
    text = read_text_file(record, kMaxRecordBytes);
  } catch (const Error&) {
    return std::nullopt;
  }
  const std::vector<std::string_view> parts = words(text);
  constexpr std::size_t kWords = 8;
  if (parts.size() != kWords || text != sealed(kind, stamp, parts[kWords - 2])) return std::nullopt;
  return std::string(parts[kWords - 2]);
}

void FileMemory::remember(std::string_view kind, const FileStamp& stamp, std::string_view fact,
                          std::int64_t now_ns) const {
  if (folder_.empty() || std::max(stamp.mtime_ns, stamp.ctime_ns) > now_ns - kClockStep_ns) return;
  try {
    make_private_folder(folder_.parent_path());
    make_private_folder(folder_);
    bound_records(folder_);
    const fs::path temporary = folder_ / ("." + hex(std::random_device{}()) + ".tmp");
    write_unsynced(temporary, sealed(kind, stamp, fact));
    fs::rename(temporary, record_of(kind, stamp));
  } catch (const Error&) {
    return;
  } catch (const fs::filesystem_error&) {
    return;
  }
}

void FileMemory::remember(std::string_view kind, const FileStamp& stamp, std::string_view fact) const {
  remember(kind, stamp, fact, now());
}

}  // namespace strata
