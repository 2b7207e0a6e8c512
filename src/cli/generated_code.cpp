// SPDX-License-Identifier: Apache-2.0
#include "cli/generated_code.h"

#include <vector>

#include "base/words.h"

namespace strata::cli {
namespace {

constexpr std::string_view kIndentation = "  ";

// What the code generator wrote for the function of a version, behind the line that names both.
std::string_view function_part(std::string_view source, std::string_view function, std::string_view version) {
  const std::string title = "// @" + std::string(function) + ", " + std::string(version) + ": ";
  const std::size_t begin = source.find(title);
  if (begin == std::string_view::npos) return {};
  const std::size_t end = source.find("\n// @", begin);
  return source.substr(begin, end == std::string_view::npos ? end : end - begin);
}

bool begins_op(std::string_view line) {
  return line.starts_with("  // %") && line.find("; predicted ") != std::string_view::npos;
}

std::string without_indentation(const std::vector<std::string_view>& lines) {
  std::string code;
  for (std::string_view line : lines) {
    if (line.starts_with(kIndentation)) line.remove_prefix(kIndentation.size());
    code += std::string(line) + "\n";
  }
  return code;
}

}  // namespace

std::string generated_code(std::string_view source, std::string_view function, std::string_view version, int id) {
  const std::string mark = "  team.mark(" + std::to_string(id) + ");";
  std::vector<std::string_view> lines;
  for (const std::string_view line : split(function_part(source, function, version), '\n')) {
    if (begins_op(line)) lines.clear();
    if (line == mark) return without_indentation(lines);
    lines.push_back(line);
  }
  return "";
}

}  // namespace strata::cli
