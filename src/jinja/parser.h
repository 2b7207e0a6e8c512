// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "jinja/ast.h"

namespace strata::jinja {

// Nesting of expressions and of blocks beyond which a template is refused.
inline constexpr int kMaxNesting = 200;

// Throws TemplateError. The stack used is bounded by kMaxNesting.
Template parse_template(const std::string& source);

}  // namespace strata::jinja
