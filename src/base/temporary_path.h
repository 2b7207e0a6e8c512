// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>
#include <utility>

namespace strata {

// The name of a temporary file or folder of this process, known to remove_temporary_files() while this lives. It is
// registered before the file exists: the other order would have a gap.
class TemporaryPath {
 public:
  TemporaryPath() = default;
  // When all of the few slots are taken, or the path is too long, the file is removed on the ordinary ways out only.
  explicit TemporaryPath(std::string_view path) noexcept;
  ~TemporaryPath() { release(); }
  TemporaryPath(TemporaryPath&& other) noexcept : slot_(std::exchange(other.slot_, -1)) {}
  TemporaryPath& operator=(TemporaryPath&& other) noexcept {
    std::swap(slot_, other.slot_);
    return *this;
  }
  TemporaryPath(const TemporaryPath&) = delete;
  TemporaryPath& operator=(const TemporaryPath&) = delete;

  void release() noexcept;

 private:
  int slot_ = -1;
};

// Removes the temporary files and folders of this process. Async-signal-safe, allocates nothing: for handlers of what
// ends the process without unwinding.
void remove_temporary_files() noexcept;

// Removes from `folder` the files whose names end with `suffix` and that no living process holds locked (flock): a
// killed process left them. Whoever makes such a file locks it, and looks then whether it still has its name.
void remove_stale_files(const char* folder, std::string_view suffix) noexcept;

}  // namespace strata
