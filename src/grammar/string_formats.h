// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>

namespace strata::grammar {

// A regular expression of a JSON schema's format: texts that have it, not always all of them. Nothing where the format
// isn't known.
std::optional<std::string_view> pattern_of_format(std::string_view format);

}  // namespace strata::grammar
