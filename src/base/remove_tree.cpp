// SPDX-License-Identifier: Apache-2.0
#include "base/remove_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstring>

namespace strata {
namespace {

constexpr int kMaxDepth = 32;  // each holds a descriptor and a buffer on the stack

bool is_self_or_parent(const char* name) { return std::strcmp(name, ".") == 0 || std::strcmp(name, "..") == 0; }

void remove_entry(int folder, const char* name, int depth) noexcept;

void remove_entries(int folder, int depth) noexcept {
  visit_folder(
      folder,
      [](void* context, int parent, const char* entry) { remove_entry(parent, entry, *static_cast<int*>(context)); },
      &depth);
}

void remove_entry(int folder, const char* name, int depth) noexcept {
  if (::unlinkat(folder, name, 0) == 0 || depth == kMaxDepth) return;
  const int inner = ::openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (inner < 0) return;
  remove_entries(inner, depth + 1);
  ::close(inner);
  ::unlinkat(folder, name, AT_REMOVEDIR);
}

}  // namespace

// The kernel's own interface: opendir() allocates.
bool visit_folder(int folder, VisitEntry visit, void* context) noexcept {
  alignas(dirent64) std::array<char, 4096> buffer;
  while (true) {
    const long bytes = ::syscall(SYS_getdents64, folder, buffer.data(), buffer.size());
    if (bytes <= 0) return bytes == 0;
    for (long at = 0; at < bytes;) {
      const auto* entry = reinterpret_cast<const dirent64*>(buffer.data() + at);
      if (!is_self_or_parent(entry->d_name)) visit(context, folder, entry->d_name);
      at += entry->d_reclen;
    }
  }
}

void remove_contents(int folder) noexcept { remove_entries(folder, 0); }

void remove_tree(int folder, const char* name) noexcept { remove_entry(folder, name, 0); }

}  // namespace strata
