// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string_view>

#include "jinja/runtime.h"

namespace strata::jinja {

using Filter = Value (*)(Runtime&, const Value& input, const Arguments&);

struct NamedFilter {
  std::string_view name;
  Filter apply;
};

std::span<const NamedFilter> text_filters();
std::span<const NamedFilter> number_filters();
std::span<const NamedFilter> sequence_filters();

// A filter's argument as a truth value, or as a number.
bool flag_argument(const Arguments& arguments, std::size_t position, const char* name);
std::int64_t int_argument(const Arguments& arguments, std::size_t position, const char* name, std::int64_t otherwise);

// A dict's items, as pairs.
Value filter_items(Runtime& runtime, const Value& input, const Arguments& arguments);

}  // namespace strata::jinja
