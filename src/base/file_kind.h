// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace strata {

// A kind of file that people give to Strata, or have in a model's folder, in place of what is needed.
struct FileKind {
  std::string_view name;    // "a GGUF file"
  std::string_view remedy;  // what to do about it
};

// The kind of a file that starts with `head`, which should have its first 64 bytes; nullptr: none of these kinds.
const FileKind* find_file_kind(std::span<const std::byte> head);

// The same for the first bytes of a file; nullptr also when it can't be read.
const FileKind* find_file_kind(const std::string& path);

// A file that git keeps elsewhere: what lies here are three lines that say where. Text files can be of this kind too.
bool is_lfs_pointer(std::string_view text);
extern const FileKind kLfsPointer;

}  // namespace strata
