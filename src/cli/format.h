// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace strata::cli {

// "1.40 GiB", "213.00 KiB", "17 B".
std::string format_bytes(std::int64_t bytes);

// In microseconds, with about three digits that tell something: "0.042", "12.30", "4096.1".
std::string format_microseconds(double seconds);

// `value` with so many digits after the point.
std::string format_fixed(double value, int digits);

// "12.345 ms".
std::string format_milliseconds(double seconds);

// How many columns a terminal takes for it: characters, not bytes ("µ" takes one).
std::size_t display_width(const std::string& text);

// Text from a file, for a terminal: control characters (C0, DEL, C1) as \xNN.
std::string escape_controls(std::string_view text);

}  // namespace strata::cli
