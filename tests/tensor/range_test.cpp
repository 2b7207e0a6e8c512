// SPDX-License-Identifier: Apache-2.0
#include "tensor/range.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace strata::tensor {
namespace {

// One after the other they are the range, in whole units that differ by one at most.
TEST(Range, EvenPartsAreTheWholeInUnits) {
  for (const std::int64_t size : {-3, 0, 1, 15, 16, 17, 100, 128, 1000}) {
    for (const std::int64_t unit : {1, 2, 16}) {
      for (const std::int64_t count : {1, 2, 3, 7, 64}) {
        const Range whole{32, 32 + size};
        const std::int64_t units = size <= 0 ? 0 : div_up(size, unit);
        std::int64_t at = std::min(whole.begin, whole.end);
        for (std::int64_t number = 0; number < count; ++number) {
          const Range part = even_part(whole, number, count, unit);
          ASSERT_EQ(part.begin, at) << size << " " << unit << " " << count << " " << number;
          ASSERT_LE(part.begin, part.end);
          ASSERT_LE(div_up(part.size(), unit), div_up(units, count));
          ASSERT_GE(div_up(part.size(), unit), units / count);
          at = part.end;
        }
        ASSERT_EQ(at, whole.end);
      }
    }
  }
}

}  // namespace
}  // namespace strata::tensor
