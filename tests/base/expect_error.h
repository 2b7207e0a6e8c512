// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "base/error.h"

namespace strata::fixtures {

// Runs `action`, which must throw a strata::Error with the exit code and all the parts in its one-line message.
inline void expect_error(ExitCode code, const std::vector<std::string>& parts, const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_EQ(static_cast<int>(error.code()), static_cast<int>(code)) << message;
    EXPECT_LE(message.size(), 380U);
    EXPECT_EQ(message.find('\n'), std::string::npos);
    for (const std::string& part : parts)
      EXPECT_NE(message.find(part), std::string::npos) << part << " not in: " << message;
    return;
  }
  ADD_FAILURE() << "no error was thrown";
}

}  // namespace strata::fixtures
