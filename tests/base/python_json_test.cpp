// SPDX-License-Identifier: Apache-2.0
#include "base/python_json.h"

#include <gtest/gtest.h>

namespace strata {
namespace {

TEST(QuotePythonConstants, TakesThoseOutsideOfStrings) {
  EXPECT_EQ(quote_python_constants(R"({"a": NaN, "b": [Infinity,-Infinity]})"),
            R"({"a": "NaN", "b": ["Infinity","-Infinity"]})");
}

TEST(QuotePythonConstants, LeavesAllElse) {
  for (const char* json :
       {"", R"({"a": "NaN", "NaN": 1})", R"("\"NaN\\")", R"("\\\"Infinity")", "[1, -1e5, null]", "\"", "\"\\"}) {
    EXPECT_EQ(quote_python_constants(json), json);
  }
  // Not what Python takes: stays refused.
  EXPECT_EQ(quote_python_constants("-NaN"), "-\"NaN\"");
}

}  // namespace
}  // namespace strata
