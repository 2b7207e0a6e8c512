// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "ops/register.h"

namespace {

struct RulesEnvironment : testing::Environment {
  void SetUp() override { strata::ops::register_all(); }
};

[[maybe_unused]] const testing::Environment* const kEnvironment =
    testing::AddGlobalTestEnvironment(new RulesEnvironment);

}  // namespace
