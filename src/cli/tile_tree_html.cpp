// SPDX-License-Identifier: Apache-2.0
#include "cli/tile_tree_html.h"

#include <algorithm>
#include <array>

#include "base/words.h"
#include "cli/html.h"

namespace strata::cli {

namespace {

constexpr std::array<std::string_view, 12> kKinds = {"parallel", "split",  "serial", "vector", "once", "each",
                                                     "when",     "buffer", "shared", "copy",   "leaf", "barrier"};

// Deeper boxes are not drawn inside one another: browsers give up on some thousands.
constexpr int kMaxDepth = 100;

std::string_view without_margins(std::string_view line) {
  const std::size_t first = line.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return line.substr(first, line.find_last_not_of(" \t\r") - first + 1);
}

// Its first word as the class of its box, if that is a kind of node.
std::string kind_of(std::string_view line) {
  const std::string_view word = line.substr(0, line.find(' '));
  if (word == "//") return "note";
  return std::ranges::find(kKinds, word) == kKinds.end() ? "stage" : std::string(word);
}

// "serial k by 512 in L2": the kind, what it is of, and at the right the memory level.
std::string node_text(std::string_view line) {
  const std::size_t space = line.find(' ');
  std::string_view rest = space == std::string_view::npos ? std::string_view() : line.substr(space);
  std::string_view level;
  const std::size_t in = rest.rfind(" in ");
  if (in != std::string_view::npos && rest.find(' ', in + 4) == std::string_view::npos &&
      rest.substr(in + 4) != "lanes") {
    level = rest.substr(in + 4);
    rest = rest.substr(0, in);
  }
  return (level.empty() ? "" : "<i>" + html_text(level) + "</i>") + "<b>" + html_text(line.substr(0, space)) + "</b>" +
         html_text(rest);
}

}  // namespace

std::string tile_tree_html(std::string_view tree) {
  std::string html = "<div class=\"tree\">";
  int depth = 0;
  const auto open = [&](std::string_view line) {
    html += "<div class=\"" + kind_of(line) + "\">" + node_text(line);
    ++depth;
  };
  const auto close = [&] {
    if (depth == 0) return;
    html += "</div>";
    --depth;
  };
  for (std::string_view line : split(tree, '\n')) {
    line = without_margins(line);
    if (line.starts_with('}')) {
      close();
      line = without_margins(line.substr(1));
    }
    if (line.empty()) continue;
    const bool opens = line.ends_with('{');
    if (opens) line = without_margins(line.substr(0, line.size() - 1));
    open(line);
    if (!opens || depth > kMaxDepth) close();
  }
  while (depth > 0) close();
  return html + "</div>";
}

}  // namespace strata::cli
