// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "runtime/session.h"

namespace strata::cli {

// Feeds random tokens; the values don't matter for speed, and one seed makes runs alike. Throws Interrupted.
class RandomFeed {
 public:
  explicit RandomFeed(runtime::Session& session) : session_(session) {}

  void at_once(std::int64_t count);
  void singly(std::int64_t count);

 private:
  std::int32_t token();

  runtime::Session& session_;
  std::mt19937_64 random_{1};
  std::vector<std::int32_t> tokens_;
};

}  // namespace strata::cli
