// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace strata::cli {

// A tile tree's text (schedule/tile_tree.h) as nested boxes: loops with iterator, step and memory level around what
// they run, buffers with size and level, leaves. Well-formed for any text, as a package may have: what opens no box is
// a line of its own, and what is not closed is closed at the end.
std::string tile_tree_html(std::string_view tree);

}  // namespace strata::cli
