// SPDX-License-Identifier: Apache-2.0
#include "ir/verify.h"

#include <gtest/gtest.h>

#include <functional>

#include "ir/op.h"
#include "ir/text.h"
#include "tests/ir/f32.h"

namespace strata::ir {
namespace {

void expect_failure(const Module& module, const std::string& what, VerifyLevel level = VerifyLevel::kFull) {
  try {
    verify(module, level);
  } catch (const std::logic_error& error) {
    EXPECT_NE(std::string(error.what()).find(what), std::string::npos) << error.what();
    return;
  }
  ADD_FAILURE() << "accepted; expected: " << what;
}

// A function on a cache, an addend for it and positions.
Module cache_program(const std::string& statements) {
  return parse_module("module m { func @f(%k: f32[1, 8, 4], %x: f32[2, 1, 4], %p: i32[2]) {\n" + statements + "} }",
                      "t");
}

TEST(Verify, RefusesAnotherFunctionsParameter) {
  Module module;
  const Expr* const x = module.pool().parameter("x", f32({4}));
  const Expr* const y = module.pool().parameter("y", f32({4}));
  module.add({"f", {x}, {y}});
  expect_failure(module, "@f: value %y: the parameter is not one of this function's");
}

TEST(Verify, RefusesAParameterGivenTwice) {
  Module module;
  const Expr* const x = module.pool().parameter("x", f32({4}));
  module.add({"f", {x, x}, {x}});
  expect_failure(module, "parameter %x: given twice");
}

TEST(Verify, RefusesNamesThatDoNotParse) {
  Module module;
  const Expr* const x = module.pool().parameter("0", f32({4}));
  module.add({"f", {x}, {x}});
  expect_failure(module, "no identifier");
}

TEST(Verify, RefusesUndeclaredSymbols) {
  Module module;
  const Dim seq(1, std::make_shared<const Symbol>(Symbol{"seq", 1, 8, 1}));
  const Expr* const x = module.pool().parameter("x", f32({seq}));
  module.add({"f", {x}, {x}});
  expect_failure(module, "the symbol seq is not declared");
  module.symbol({"seq", 1, 9, 1});
  expect_failure(module, "the symbol seq is not declared like this");
}

TEST(Verify, RefusesSizesOfTwoSymbols) {
  Module module;
  const Dim seq(1, module.symbol({"seq", 1, 8, 1}));
  const Expr* const x = module.pool().parameter("x", f32({seq * seq}));
  module.add({"f", {x}, {x}});
  expect_failure(module, "the size seq*seq has more than one symbol");
}

TEST(Verify, RefusesBadSymbols) {
  Module module;
  module.symbol({"seq", 3, 8, 2});
  expect_failure(module, "no multiples of 2");
}

TEST(Verify, RefusesLayoutsThatDoNotFit) {
  Module module;
  const Expr* const x = module.pool().parameter("x", {DType::kF32, {4}, {{{2, 1}}}, {}});
  module.add({"f", {x}, {x}});
  expect_failure(module, "packs axis 1 of 1 axes");
  EXPECT_NO_THROW(verify(module, VerifyLevel::kStructure));
}

TEST(Verify, RefusesCalleesThatComeLater) {
  Module other;
  const Expr* const y = other.pool().parameter("x", f32({4}));
  const Function* const foreign = other.add({"g", {y}, {y}});
  Module module;
  const Expr* const x = module.pool().parameter("x", f32({4}));
  module.add({"f", {x}, {module.pool().call(*foreign, {x})}});
  expect_failure(module, "the callee is not an earlier function", VerifyLevel::kStructure);
}

TEST(Verify, RefusesTuplesAsResults) {
  Module module;
  const Expr* const x = module.pool().parameter("x", f32({4}));
  const Function* const pair = module.add({"pair", {x}, {x, x}});
  module.add({"f", {x}, {module.pool().call(*pair, {x})}});
  expect_failure(module, "@f: a result is a tuple");
}

// One function that returns a value which its pool would not have made: a copy, changed.
void expect_forged(const std::string& text, const std::function<void(Expr&)>& change, const std::string& what) {
  Module module = parse_module("module m { " + text + " }", "t");
  Function function = *module.functions().back();
  Expr forged = *function.results.back();
  change(forged);
  function.name = "h";
  function.results.back() = &forged;
  module.add(function);
  expect_failure(module, what, VerifyLevel::kStructure);
}

TEST(Verify, RefusesWhatThePoolWouldNotMake) {
  const std::string weight = "func @f(%x: f32[4]) { %0 = weight \"w\" : f32[4]\n return %x, %0 }";
  expect_forged(weight, [](Expr& e) { e.name.clear(); }, "the weight has no name");
  expect_forged(weight, [](Expr& e) { e.types.clear(); }, "there is no type");
  expect_forged(weight, [](Expr& e) { e.types[0].shape[0] = Dim(0); }, "the size 0 is not positive");
  const std::string scalar = "func @f(%x: f32[4]) { %0 = scalar 2.0 : f32\n return %x, %0 }";
  expect_forged(scalar, [](Expr& e) { e.types[0] = f32({1}); }, "the scalar has axes");
  const std::string sum = "func @f(%x: f32[4]) { %0 = add(%x, %x) : f32[4]\n return %0 }";
  expect_forged(sum, [](Expr& e) { e.arguments.pop_back(); }, "wrong number of operands");
}

TEST(Verify, RefusesCallsAndElementsThatDoNotFit) {
  const std::string pair =
      "func @pair(%x: f32[4], %y: f32[3]) { return %x, %y }\nfunc @f(%x: f32[4], %y: f32[3]) { "
      "%0 = call @pair(%x, %y) : (f32[4], f32[3])\n %1 = get(%0) {index = 1} : f32[3]\n";
  const std::string first = pair + "return %1 }";
  expect_forged(first, [](Expr& e) { e.index = 2; }, "no such element");
  expect_forged(first, [](Expr& e) { e.index = -1; }, "no such element");
  expect_forged(first, [](Expr& e) { e.index = 0; }, "the element has another type");
  const std::string one =
      "func @g(%x: f32[4], %y: f32[3]) { %0 = exp(%x) : f32[4]\n return %0 }\n"
      "func @f(%x: f32[4], %y: f32[3]) { %0 = call @g(%x, %y) : f32[4]\n return %0 }";
  expect_forged(one, [](Expr& e) { e.arguments.pop_back(); }, "wrong number of arguments");
  expect_forged(
      one, [](Expr& e) { std::swap(e.arguments[0], e.arguments[1]); }, "the argument for %x has another type");
  expect_forged(one, [](Expr& e) { e.types.push_back(e.types[0]); }, "wrong number of results");
  expect_forged(one, [](Expr& e) { e.types[0] = f32({3}); }, "a result has another type");
}

TEST(Verify, RefusesTuplesAsOperands) {
  Module module;
  const Expr* const x = module.pool().parameter("x", f32({4}));
  const Function* const pair = module.add({"pair", {x}, {x, x}});
  const Expr* const tuple = module.pool().call(*pair, {x});
  Expr forged = *module.pool().op(get_op("exp"), {x});
  forged.arguments[0] = tuple;
  module.add({"f", {x}, {&forged}});
  expect_failure(module, "an operand is a tuple", VerifyLevel::kStructure);
}

TEST(Verify, RefusesFunctionsThatAreNone) {
  const auto made = [](const Function& function, const std::string& what) {
    Module module;
    module.add(function);
    expect_failure(module, what, VerifyLevel::kStructure);
  };
  Module pool;
  const Expr* const x = pool.pool().parameter("x", f32({4}));
  const Expr* const w = pool.pool().weight("w", f32({4}));
  made({"f g", {x}, {x}}, "the name is no identifier");
  made({"f", {w}, {w}}, "a parameter is another kind of value");
}

TEST(Verify, RefusesSymbolsWithoutAName) {
  Module module;
  module.symbol({"a b", 1, 8, 1});
  expect_failure(module, "the symbol a b has no identifier as its name");
}

// An op that claims another type each time it is asked.
struct FickleOp : Op {
  const std::string& name() const override {
    static const std::string kName = "fickle";
    return kName;
  }
  int arity() const override { return 1; }
  std::vector<std::string> operand_names() const override { return {"x"}; }
  std::vector<double> evaluate(std::span<const Value>, const Attributes&, const TensorType&) const override {
    return {};
  }
  Work work(std::span<const TensorType>, const Attributes&, const TensorType&) const override { return {}; }
  mutable std::int64_t size = 0;

 protected:
  TensorType infer_unplaced(std::span<const TensorType>, const Attributes&) const override { return f32({++size}); }
};

TEST(Verify, RefusesTypesThatAreNotInferred) {
  const FickleOp op;
  Module module;
  const Expr* const x = module.pool().parameter("x", f32({4}));
  module.add({"f", {x}, {module.pool().op(op, {x})}});
  expect_failure(module, "value %0: the type is f32[1], but fickle gives f32[2]");
}

TEST(VerifyInPlace, AcceptsReadersBeforeAndOfTheUpdate) {
  verify(
      cache_program("%a = cache_append(%k, %x, %p) : f32[1, 8, 4]\n"
                    "%b = cache_append(%a, %x, %p) : f32[1, 8, 4]\n"
                    "%c = attention(%x, %b, %b, %p) {scale = 1} : f32[2, 1, 4]\nreturn %c, %b\n"));
  verify(cache_program("%n = neg(%k) : f32[1, 8, 4]\n%a = cache_append(%k, %x, %p) : f32[1, 8, 4]\nreturn %n, %a\n"));
}

TEST(VerifyInPlace, RefusesAReaderOfTheOldValue) {
  expect_failure(cache_program("%a = cache_append(%k, %x, %p) : f32[1, 8, 4]\n"
                               "%n = neg(%k) : f32[1, 8, 4]\nreturn %a, %n\n"),
                 "@f: value %k is used by %1 after %0 has overwritten its memory");
}

TEST(VerifyInPlace, RefusesTheOldValueAsAResult) {
  expect_failure(cache_program("%a = cache_append(%k, %x, %p) : f32[1, 8, 4]\nreturn %a, %k\n"), "value %k");
}

TEST(VerifyInPlace, SeesThroughViews) {
  expect_failure(cache_program("%v = reshape(%k) {shape = [8, 4]} : f32[8, 4]\n"
                               "%a = cache_append(%k, %x, %p) : f32[1, 8, 4]\n%n = neg(%v) : f32[8, 4]\n"
                               "return %v, %a, %n\n"),
                 "has overwritten its memory");
}

TEST(VerifyInPlace, RefusesTwoUpdatesOfOneValue) {
  expect_failure(cache_program("%y = neg(%x) : f32[2, 1, 4]\n%a = cache_append(%k, %x, %p) : f32[1, 8, 4]\n"
                               "%b = cache_append(%k, %y, %p) : f32[1, 8, 4]\nreturn %a, %b\n"),
                 "value %k is used by");
}

TEST(VerifyInPlace, RefusesAnUpdateThatReadsItsTarget) {
  expect_failure(parse_module("module m { func @f(%k: f32[1, 1, 4], %p: i32[1]) {\n"
                              "%a = cache_append(%k, %k, %p) : f32[1, 1, 4]\nreturn %a } }",
                              "t"),
                 "overwrites an operand that it also reads");
}

TEST(VerifyInPlace, RefusesAnUpdateOfAWeight) {
  expect_failure(cache_program("%w = weight \"w\" : f32[1, 8, 4]\n%a = cache_append(%w, %x, %p) : f32[1, 8, 4]\n"
                               "return %a\n"),
                 "overwrites the constant");
}

TEST(VerifyInPlace, FollowsCalls) {
  const std::string callee =
      "module m { func @g(%k: f32[1, 8, 4], %x: f32[2, 1, 4], %p: i32[2]) {\n"
      "%a = cache_append(%k, %x, %p) : f32[1, 8, 4]\nreturn %x, %a }\n"
      "func @f(%k: f32[1, 8, 4], %x: f32[2, 1, 4], %p: i32[2]) {\n"
      "%0 = call @g(%k, %x, %p) : (f32[2, 1, 4], f32[1, 8, 4])\n%1 = get(%0) {index = 1} : f32[1, 8, 4]\n";
  EXPECT_NO_THROW(verify(parse_module(callee + "return %1 } }", "t")));
  expect_failure(parse_module(callee + "%2 = neg(%k) : f32[1, 8, 4]\nreturn %1, %2 } }", "t"), "@f: value %k");
  expect_failure(parse_module(callee + "%2 = call @g(%k, %x, %p) : (f32[2, 1, 4], f32[1, 8, 4])\n"
                                       "%3 = exp(%k) : f32[1, 8, 4]\nreturn %1, %3 } }",
                              "t"),
                 "@f: value %k");
}

TEST(VerifyInPlace, RefusesMemoryThatACallOverwritesAndReads) {
  expect_failure(parse_module("module m { func @g(%k: f32[1, 8, 4], %x: f32[1, 8, 4], %y: f32[2, 1, 4], %p: i32[2]) {\n"
                              "%a = cache_append(%k, %y, %p) : f32[1, 8, 4]\n%b = add(%x, %x) : f32[1, 8, 4]\n"
                              "return %a, %b }\nfunc @f(%k: f32[1, 8, 4], %y: f32[2, 1, 4], %p: i32[2]) {\n"
                              "%0 = call @g(%k, %k, %y, %p) : (f32[1, 8, 4], f32[1, 8, 4])\n"
                              "%1 = get(%0) {index = 1} : f32[1, 8, 4]\nreturn %1 } }",
                              "t"),
                 "overwrites an argument that it is also given as another");
}

}  // namespace
}  // namespace strata::ir
