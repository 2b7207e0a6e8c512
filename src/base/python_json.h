// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace strata {

// Python's json module writes and reads NaN, Infinity and -Infinity, which are not JSON. Puts them in quotes: a field
// that nobody reads then does no harm, and one that is read is refused as a text where a number belongs.
std::string quote_python_constants(std::string_view json);

}  // namespace strata
