// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "machine/machine.h"

namespace strata::cost {

// Whether plans for the machine may divide products by rows too. Of one with a memory level that software manages each
// thread's columns are copied once, for all rows.
bool shares_rows(const machine::Machine& machine);

// Rows of a product that units may have, where threads share units of so many rows and one group of panels: those of so
// many parts of the rows that each thread has one of all groups' parts, and up to four (split_candidates), in whole
// tiles of `tile` rows, `least` of them or more. None where as many threads have as many groups each, or one part is
// all.
std::vector<std::int64_t> row_units(std::int64_t rows, std::int64_t tile, std::int64_t least, double groups,
                                    int threads);

// Units of `unit` rows and one group, the last one, of fewer rows, in parts of the others.
inline double row_unit_pieces(double groups, double rows, std::int64_t unit) {
  return groups * std::max(rows / static_cast<double>(unit), 1.0);
}

// What a division by rows must be faster by, in parts.
inline constexpr double kLeastRowGain = 0.01;

}  // namespace strata::cost
