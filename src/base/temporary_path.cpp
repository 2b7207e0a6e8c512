// SPDX-License-Identifier: Apache-2.0
#include "base/temporary_path.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstring>

#include "base/file_descriptor.h"
#include "base/remove_tree.h"

namespace strata {
namespace {

// A slot is owned by whoever set `used`; its path is valid while `armed`.
struct Slot {
  std::atomic<bool> used;
  std::atomic<bool> armed;
  std::atomic<pid_t> owner;  // a forked child has the table too
  std::array<char, PATH_MAX> path;
};
constinit std::array<Slot, 16> g_slots{};

void remove_if_stale(void* context, int folder, const char* name) noexcept {
  if (!std::string_view(name).ends_with(*static_cast<const std::string_view*>(context))) return;
  // To write: what emulates flock by locks of ranges wants that.
  const FileDescriptor file(::openat(folder, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat status{};
  if (!file.is_open() || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) return;
  if (::flock(file.get(), LOCK_EX | LOCK_NB) == 0) ::unlinkat(folder, name, 0);
}

}  // namespace

TemporaryPath::TemporaryPath(std::string_view path) noexcept {
  if (path.size() >= PATH_MAX) return;
  for (std::size_t i = 0; i < g_slots.size(); ++i) {
    Slot& slot = g_slots[i];
    if (slot.used.exchange(true)) continue;
    std::memcpy(slot.path.data(), path.data(), path.size());
    slot.path[path.size()] = '\0';
    slot.owner = ::getpid();
    slot.armed = true;
    slot_ = static_cast<int>(i);
    return;
  }
}

void TemporaryPath::release() noexcept {
  if (slot_ < 0) return;
  Slot& slot = g_slots[static_cast<std::size_t>(std::exchange(slot_, -1))];
  slot.armed = false;
  slot.used = false;
}

void remove_temporary_files() noexcept {
  for (Slot& slot : g_slots) {
    if (slot.armed && slot.owner == ::getpid()) remove_tree(AT_FDCWD, slot.path.data());
  }
}

void remove_stale_files(const char* folder, std::string_view suffix) noexcept {
  const FileDescriptor open_folder(::open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (open_folder.is_open()) visit_folder(open_folder.get(), remove_if_stale, &suffix);
}

}  // namespace strata
