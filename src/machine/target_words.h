// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

// What a machine file may say where it reaches generated code, a command line or a terminal. The file is data: it must
// not be able to run anything.
namespace strata::machine {

// 1 to 64 letters, digits, '.', '_', '+' and '-', the first a letter or digit: "L1", "sse4.1", "native-avx512".
bool is_word(std::string_view text);

// Without control characters.
bool is_plain_text(std::string_view text);

// "x86_64-linux-gnu".
bool is_triple(std::string_view text);

// A compiler's flag that chooses instructions and nothing else: -march=, -mcpu=, -mtune=, -mabi= and widths of vectors
// with a word behind, or -m and -mno- with the name of an x86 extension.
bool is_target_flag(std::string_view flag);

// The arch of targets for which there are plans and no code.
inline constexpr std::string_view kPlannedOnlyArch = "accelerator";

}  // namespace strata::machine
