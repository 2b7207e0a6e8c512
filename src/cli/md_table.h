// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace strata::cli {

// A Markdown table with aligned columns.
class MdTable {
 public:
  enum class Align { kLeft, kRight };

  MdTable& column(std::string title, Align align = Align::kRight);
  void row(std::vector<std::string> cells);  // as many as columns
  std::string text() const;

 private:
  std::vector<Align> aligns_;
  std::vector<std::vector<std::string>> rows_ = {{}};  // the titles first
};

// Lines as Markdown: the first one is a title, those up to an empty one are a list, the rest is shown as it is.
std::string markdown(const std::string& lines);

}  // namespace strata::cli
