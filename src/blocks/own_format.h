// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include "blocks/format.h"

namespace strata::blocks {

// Whether weights may be quantised to that type: q8 or q4.
bool is_own_type(std::string_view type);

// The format of that type for rows of so many elements, in the largest blocks that divide them; nullptr: none does.
const Format* own_format(std::string_view type, std::int64_t row);

}  // namespace strata::blocks
