// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace strata::text {

// What stands for a space in SentencePiece's vocabularies: U+2581.
inline constexpr char32_t kSpaceSymbol = 0x2581;
inline constexpr std::string_view kSpaceSymbolText = "\xE2\x96\x81";

}  // namespace strata::text
