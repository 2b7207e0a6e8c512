// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace strata {

// Short texts by key, which are kept in a file of the cache from one run to the next. A key is a word, a value a line.
using Records = std::map<std::string, std::string>;

// A first line, the owner (what the records are true of), a line "KEY VALUE" for each record by rising key, and a seal
// of all before it, which tells what a power loss, or anything else, has damaged.
std::string to_text(const Records& records, std::string_view owner);

// Nothing for a text that to_text() did not write, or wrote for another owner.
std::optional<Records> parse_records(std::string_view text, std::string_view owner);

// Those of a file; none where it is missing, damaged, or another owner's. Throws resource_error for one that others
// could have written.
Records load_records(const std::filesystem::path& path, std::string_view owner);

// Replaces the file, which appears whole and is this user's alone, and makes its folder. Throws resource_error.
void save_records(const std::filesystem::path& path, const Records& records, std::string_view owner);

}  // namespace strata
