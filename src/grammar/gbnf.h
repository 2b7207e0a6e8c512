// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "grammar/expression.h"

namespace strata::grammar {

// A grammar in llama.cpp's notation, GBNF: rules `name ::= ...`, of which root is the text. Its tokens by number
// (`<[7]>`) are refused. Throws usage_error with the line.
Grammar parse_gbnf(std::string_view text);

}  // namespace strata::grammar
