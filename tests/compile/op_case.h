// SPDX-License-Identifier: Apache-2.0
// Programs of a few ops with random operands, compared with the interpreter.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>

#include "compiled_function.h"
#include "machine/cost.h"
#include "machine/cpu.h"
#include "tests/sweep.h"

namespace strata::compile {

struct OpCase {
  std::string name;
  std::string parameters;  // of @main
  std::string body;        // statements; the last value is returned
  std::string result;
  double tolerance = 1e-6;
};

inline std::string module_text(const OpCase& c, const std::string& functions = "") {
  return "module test {\n  symbol seq in 1..40\n  symbol ctx in 64..128 multiple 64\n" + functions + "  func @main(" +
         c.parameters + ") {\n" + c.body + "    return " + c.result + "\n  }\n}\n";
}

inline std::vector<ir::Value> random_arguments(const ir::Function& function, const Symbols& symbols,
                                               std::mt19937_64& random) {
  std::vector<ir::Value> arguments;
  for (const ir::Expr* parameter : function.parameters) {
    arguments.push_back(random_value(concrete(parameter->type(), symbols), random, 30));
  }
  return arguments;
}

// All results for a few sizes, by one thread and by two.
inline void expect_equal(CompiledFunction& compiled, const OpCase& c, std::mt19937_64& random) {
  for (const std::int64_t seq : {1, 2, 17, 40}) {
    const Symbols symbols = {{"seq", seq}, {"ctx", 64}};
    const auto arguments = random_arguments(compiled.function(), symbols, random);
    const auto expected = compiled.reference(arguments, symbols);
    for (const int threads : {1, 2}) {
      const auto got = compiled.run(arguments, symbols, threads);
      for (std::size_t i = 0; i < expected.size(); ++i) {
        EXPECT_LE(relative_error(got[i], expected[i]), c.tolerance)
            << c.name << " result " << i << " seq=" << seq << " threads=" << threads << "\n"
            << compiled.generated();
      }
    }
  }
}

// Results for `seq` tokens behind `past` others, which argument `positions` says; by one thread and by two.
inline void expect_equal_behind(CompiledFunction& compiled, std::size_t positions, int seq, int past, double tolerance,
                                std::mt19937_64& random) {
  const Symbols symbols = {{"seq", seq}, {"ctx", 128}};
  auto arguments = random_arguments(compiled.function(), symbols, random);
  for (int i = 0; i < seq; ++i) arguments[positions].data[i] = past + i;
  const auto expected = compiled.reference(arguments, symbols);
  for (const int threads : {1, 2}) {
    const auto got = compiled.run(arguments, symbols, threads);
    for (std::size_t r = 0; r < expected.size(); ++r) {
      EXPECT_LE(relative_error(got[r], expected[r]), tolerance)
          << "seq=" << seq << " past=" << past << " threads=" << threads << " result " << r;
    }
  }
}

// Under a sanitizer one machine is enough: the compiler is the same for all, and generated code isn't sanitized.
inline bool can_run(const std::string& machine) {
  if (kIsSanitized && machine != "native") return false;
  return machine::missing_features(machine::load(machine).target.features).empty();
}

inline const std::vector<std::string> kOtherMachines = {"avx2-generic", "x86-64-baseline", "scratchpad-generic"};
inline const auto kMachines = testing::Values("native", kOtherMachines[0], kOtherMachines[1], kOtherMachines[2]);

// This processor meets all cases, or under a sanitizer each third; the other machines share them. All meet all in a
// full sweep.
template <class C>
std::vector<C> cases_on(const std::string& machine, const std::vector<C>& all) {
  const bool is_native = machine == "native";
  if (is_soak() || (is_native && !kIsSanitized)) return all;
  const auto number = is_native ? 0 : std::ranges::find(kOtherMachines, machine) - kOtherMachines.begin();
  std::vector<C> share;
  for (auto i = static_cast<std::size_t>(number); i < all.size(); i += kOtherMachines.size()) share.push_back(all[i]);
  return share;
}

inline std::string test_name(const testing::TestParamInfo<std::string>& instance) {
  std::string name = instance.param;
  std::ranges::replace(name, '-', '_');
  return name;
}

}  // namespace strata::compile
