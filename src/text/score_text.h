// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace strata::text {

// The value of a JSON number as Hugging Face's library reads a token's score: its digits as an integer, rounded, then
// one division or multiplication by a power of ten, rounded again. That may be a last bit off the nearest value, and
// the bit decides between ways to cut a word that are worth the same, such as a run of spaces. Infinite where it is too
// large. Requires a number in JSON's form.
double score_of_text(std::string_view number);

}  // namespace strata::text
