// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace strata {

// What follows allocates nothing and is async-signal-safe: it cleans up after a failed allocation and in a signal's
// handler.

// Calls `visit(context, folder, name)` for every entry of the folder but "." and "..", which may remove that entry.
// Returns false where the folder can't be read.
using VisitEntry = void (*)(void* context, int folder, const char* name);
bool visit_folder(int folder, VisitEntry visit, void* context) noexcept;

// Removes `name` (relative to the open folder, or AT_FDCWD) with all that it holds; follows no links. What can't be
// removed stays.
void remove_tree(int folder, const char* name) noexcept;

// Removes what an open folder holds, which is also possible when no more files can be opened.
void remove_contents(int folder) noexcept;

}  // namespace strata
