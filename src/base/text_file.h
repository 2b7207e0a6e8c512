// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

namespace strata {

// Reads a whole regular file. Throws model_error when it is missing, unreadable, not a regular file or larger than
// `max_bytes`.
std::string read_text_file(const std::filesystem::path& path, std::size_t max_bytes);

}  // namespace strata
