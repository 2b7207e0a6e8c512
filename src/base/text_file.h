// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace strata {

// Reads a whole regular file. Throws model_error when it is missing, unreadable, not a regular file or larger than
// `max_bytes`.
std::string read_text_file(const std::filesystem::path& path, std::size_t max_bytes);

// The first bytes of a file, at most so many; fewer, or none, where it has no more or can't be read. Throws
// resource_error where no more files can be open, or for want of memory.
std::string read_head(const std::filesystem::path& path, std::size_t max_bytes);

// The lines of a small file of the operating system; none where it can't be read. Throws as read_head does.
std::vector<std::string> read_lines(const std::filesystem::path& path);

// Writes a new file that only this user can read and write (mode 0600), without waiting for the disk: for what can be
// made again, and is checked before it is used. One that is there is replaced. Throws resource_error, and leaves none.
void write_unsynced(const std::filesystem::path& path, std::string_view text);

}  // namespace strata
