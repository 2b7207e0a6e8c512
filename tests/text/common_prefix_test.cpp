// SPDX-License-Identifier: Apache-2.0
#include "text/common_prefix.h"

#include <gtest/gtest.h>

#include <vector>

namespace strata::text {
namespace {

TEST(CommonPrefix, StopsAtTheFirstDifferenceOrTheShorterEnd) {
  using Ids = std::vector<std::int32_t>;
  EXPECT_EQ(common_prefix(Ids{1, 2, 3}, Ids{1, 2, 4}), 2U);
  EXPECT_EQ(common_prefix(Ids{1, 2}, Ids{1, 2, 4}), 2U);
  EXPECT_EQ(common_prefix(Ids{1, 2, 4}, Ids{1, 2}), 2U);
  EXPECT_EQ(common_prefix(Ids{}, Ids{1}), 0U);
}

}  // namespace
}  // namespace strata::text
