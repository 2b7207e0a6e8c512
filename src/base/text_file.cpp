// SPDX-License-Identifier: Apache-2.0
#include "base/text_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/error.h"
#include "base/file_descriptor.h"
#include "base/file_kind.h"
#include "base/words.h"

namespace strata {
namespace {

constexpr const char* kRemedy = "make room, make the folder writable, or set STRATA_CACHE";

}  // namespace

std::string read_head(const std::filesystem::path& path, std::size_t max_bytes) {
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (!file.is_open()) check_exhaustion(errno, path);
  std::string text;
  while (file.is_open() && text.size() < max_bytes) {
    // Most files are small, and may be far smaller than what is read of one at most.
    constexpr std::size_t kFirst = 4096;
    const std::size_t size = text.size();
    text.resize(std::min(max_bytes, std::max(kFirst, 2 * size)));
    const ssize_t count = ::read(file.get(), text.data() + size, text.size() - size);
    const bool is_interrupted = count < 0 && errno == EINTR;
    text.resize(size + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    if (count <= 0 && !is_interrupted) break;
  }
  return text;
}

std::vector<std::string> read_lines(const std::filesystem::path& path) {
  constexpr std::size_t kMaxBytes = 1 << 20;
  const std::string text = read_head(path, kMaxBytes);
  const std::vector<std::string_view> lines = split(text, '\n');
  return {lines.begin(), lines.end()};
}

std::string read_text_file(const std::filesystem::path& path, std::size_t max_bytes) {
  const FileDescriptor file = open_regular_file(path);
  std::string text;
  std::array<char, 64 * 1024> buffer;
  while (true) {
    const ssize_t count = ::read(file.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw model_error("cannot read (" + errno_text(errno) + ")", path.string());
    if (count == 0) break;
    if (static_cast<std::size_t>(count) > max_bytes - text.size()) {
      throw model_error("larger than the limit of " + std::to_string(max_bytes) + " bytes", path.string());
    }
    text.append(buffer.data(), static_cast<std::size_t>(count));
  }
  if (is_lfs_pointer(text)) {
    throw model_error(std::string(kLfsPointer.name), path.string(), std::string(kLfsPointer.remedy));
  }
  return text;
}

void write_unsynced(const std::filesystem::path& path, std::string_view text) {
  const FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file.is_open()) throw resource_error("cannot create (" + errno_text(errno) + ")", path.string(), kRemedy);
  while (!text.empty()) {
    const ssize_t count = ::write(file.get(), text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      const int error = count == 0 ? ENOSPC : errno;
      ::unlink(path.c_str());
      throw resource_error("cannot write (" + errno_text(error) + ")", path.string(), kRemedy);
    }
    text.remove_prefix(static_cast<std::size_t>(count));
  }
}

}  // namespace strata
