// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace strata::cli {

// The lines of a package's generated C++ (the section "source") that compute one op: from the comment that says what it
// is to the mark behind it, without the function's indentation. Empty where there are none.
std::string generated_code(std::string_view source, std::string_view function, std::string_view version, int id);

}  // namespace strata::cli
