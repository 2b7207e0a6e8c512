// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace strata::compile {

// What a plan is to be fast for: prompts of so many tokens, each continued by so many, `batch` sequences at a time. By
// default that of llama-bench.
struct Workload {
  std::int64_t prompt = 512;
  std::int64_t generate = 128;
  std::int64_t batch = 1;

  bool operator==(const Workload&) const = default;
};

// "prompt=512,generate=128,batch=1", any of them, in any order. Throws usage_error naming what is wrong.
Workload parse_workload(std::string_view text);

std::string to_text(const Workload& workload);

}  // namespace strata::compile
