// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "ir/text.h"
#include "ops/register.h"
#include "schedule/region.h"
#include "schedule/verify.h"
#include "tests/schedule/schedule_testing.h"

namespace strata::schedule {

// All ops of @f that are no views, as one region.
struct Region {
  ir::Module module;
  std::vector<ScheduledFunction> functions;
  std::vector<std::size_t> ops;
  std::string why_not;

  Region(const std::string& parameters, const std::string& body)
      : module((ops::register_all(),
                ir::parse_module("module m {\n  symbol seq in 1..512\n  symbol ctx in 64..128 multiple 64\n  func @f(" +
                                     parameters + ") {\n" + body + "  }\n}\n",
                                 "test"))),
        functions(default_schedule(module, zen5())) {
    for (std::size_t i = 0; i < function().ops.size(); ++i) {
      if (!function().ops[i].is_view()) ops.push_back(i);
    }
    auto made = region_of(function(), ops, zen5());
    if (const auto* const no = std::get_if<NoRegion>(&made)) {
      why_not = no->why;
    } else {
      enter(function(), std::get<ScheduledOp>(std::move(made)));
    }
  }

  ScheduledFunction& function() { return functions[0]; }
  ScheduledOp& op() { return function().ops[ops.back()]; }
  std::string text() { return why_not.empty() ? one_line(to_text(op().tree, zen5())) : why_not; }

  // What the verifier says; "" where the tree holds.
  std::string verdict() {
    try {
      verify(function(), zen5());
    } catch (const std::logic_error& error) {
      return error.what();
    }
    return "";
  }
  std::string verdict(const std::string& tree) {
    op().tree.body = parse_tile_tree(tree, "test", op().tree, zen5());
    return verdict();
  }
};

// Its tree in one line, or why there is none.
inline std::string region(const std::string& parameters, const std::string& body) {
  Region made(parameters, body);
  EXPECT_EQ(made.why_not.empty() ? made.verdict() : "", "");
  return made.text();
}

}  // namespace strata::schedule
