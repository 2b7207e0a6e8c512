// SPDX-License-Identifier: Apache-2.0
#include "base/record_file.h"

#include <cctype>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/text_file.h"
#include "base/trust.h"

namespace strata {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kFirstLine = "strata records 1\n";
constexpr std::size_t kMostRecordBytes = std::size_t{16} << 20;

std::string seal_of(std::string_view text) { return hash128(text).hex() + "\n"; }

bool is_line(std::string_view text) { return text.find('\n') == std::string_view::npos; }

bool is_key(std::string_view text) {
  return !text.empty() && is_line(text) && text.find(' ') == std::string_view::npos;
}

// The text without its first line, which is returned without its end; nothing where no line ends.
std::optional<std::string_view> take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end + 1);
  return line;
}

}  // namespace

std::string to_text(const Records& records, std::string_view owner) {
  STRATA_CHECK(is_line(owner), "an owner of several lines");
  std::string text = std::string(kFirstLine) + std::string(owner) + "\n";
  for (const auto& [key, value] : records) {
    STRATA_CHECK(is_key(key) && is_line(value), "a record of several lines");
    text += key + " " + value + "\n";
  }
  return text + seal_of(text);
}

std::optional<Records> parse_records(std::string_view text, std::string_view owner) {
  const std::size_t seal = seal_of("").size();
  if (text.size() < seal || text.substr(text.size() - seal) != seal_of(text.substr(0, text.size() - seal)))
    return std::nullopt;
  text.remove_suffix(seal);
  if (!text.starts_with(kFirstLine)) return std::nullopt;
  text.remove_prefix(kFirstLine.size());
  if (take_line(text) != owner) return std::nullopt;
  Records records;
  while (!text.empty()) {
    const auto line = take_line(text);
    const std::size_t space = line ? line->find(' ') : std::string_view::npos;
    if (space == std::string_view::npos || space == 0) return std::nullopt;
    std::string key(line->substr(0, space));
    if (!records.empty() && key <= records.rbegin()->first) return std::nullopt;
    records.emplace_hint(records.end(), std::move(key), line->substr(space + 1));
  }
  return records;
}

Records load_records(const fs::path& path, std::string_view owner) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) return {};
  require_trusted(path.parent_path());
  require_trusted(path);
  try {
    return parse_records(read_text_file(path, kMostRecordBytes), owner).value_or(Records());
  } catch (const Error& error) {
    if (error.code() != ExitCode::kModel) throw;
    return {};
  }
}

void save_records(const fs::path& path, const Records& records, std::string_view owner) {
  make_private_folder(path.parent_path());
  const PrivateFiles for_this_user_alone;
  write_file(path, to_text(records, owner));
}

}  // namespace strata
