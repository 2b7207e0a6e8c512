// SPDX-License-Identifier: Apache-2.0
#include "cli/md_table.h"

#include <algorithm>
#include <string_view>

#include "base/error.h"
#include "base/words.h"
#include "cli/format.h"

namespace strata::cli {
MdTable& MdTable::column(std::string title, Align align) {
  rows_.front().push_back(std::move(title));
  aligns_.push_back(align);
  return *this;
}

void MdTable::row(std::vector<std::string> cells) {
  STRATA_CHECK(cells.size() == aligns_.size(), "a table's row has another number of cells");
  rows_.push_back(std::move(cells));
}

std::string MdTable::text() const {
  std::vector<std::size_t> widths(aligns_.size(), 3);
  for (const auto& cells : rows_) {
    for (std::size_t i = 0; i < cells.size(); ++i) widths[i] = std::max(widths[i], display_width(cells[i]));
  }
  std::string lines;
  for (const auto& cells : rows_) {
    std::string rule = "|";
    lines += "|";
    for (std::size_t i = 0; i < cells.size(); ++i) {
      std::string padding(widths[i] - display_width(cells[i]), ' ');
      bool is_right = aligns_[i] == Align::kRight;
      lines += " " + (is_right ? padding + cells[i] : cells[i] + padding) + " |";
      rule += " " + std::string(widths[i] - (is_right ? 1 : 0), '-') + (is_right ? ": |" : " |");
    }
    lines += "\n";
    if (&cells == &rows_.front()) lines += rule + "\n";
  }
  return lines;
}

std::string markdown(const std::string& lines) {
  const auto body = lines.find("\n\n");
  std::string text, mark = "# ";
  for (const std::string_view line : split(std::string_view(lines).substr(0, body), '\n')) {
    if (!line.empty()) text += mark + std::string(line) + (mark == "# " ? "\n\n" : "\n");
    mark = "- ";
  }
  return body == std::string::npos ? text : text + "\n```\n" + lines.substr(body + 2) + "```\n";
}

}  // namespace strata::cli
