// SPDX-License-Identifier: Apache-2.0
#include "plan/calls.h"

#include <gtest/gtest.h>

#include <limits>

namespace strata::plan {
namespace {

// A second for each row and a thousandth for each token of context that it sees.
Op op(const std::string& name, std::int64_t count, std::int64_t barriers) {
  Op op;
  op.name = name;
  op.count = count;
  op.barriers = barriers;
  op.cost.axes = {{"ctx", {0, 1000}}, {"seq", {0, 1000}}};
  op.cost.values = {{}, {0, 0, 1000}, {0, 0, 1}, {0, 0, 1001}};
  return op;
}

Plan called_example() {
  Plan plan;
  const auto entry = [&](const std::string& function, std::int64_t min, std::int64_t max, std::int64_t barriers) {
    plan.entries.push_back({function, function, "v", {{"seq", {min, max}}}, 1, {op(function, 2, barriers)}});
  };
  entry("forward", 1, 1, 3);
  entry("head", 1, 1, 1);
  entry("forward", 2, 8, 5);
  entry("forward_one", 2, 8, 7);
  entry("forward_none", 2, 8, 11);
  entry("head", 2, 4, 1);
  return plan;
}

std::vector<std::tuple<std::string, double, double, double>> texts(const std::vector<Call>& calls) {
  std::vector<std::tuple<std::string, double, double, double>> all;
  for (const Call& call : calls) {
    all.emplace_back(call.entry->function, call.count, call.sizes.at("seq"), call.sizes.at("ctx"));
    EXPECT_EQ(call.sizes.at(kThreads), 3);
  }
  return all;
}

using Texts = std::vector<std::tuple<std::string, double, double, double>>;

TEST(DecodingCalls, HaveARowOfEachSequenceInAsFewCallsAsTheCodeAllows) {
  const Plan plan = called_example();
  EXPECT_EQ(texts(decoding_calls(plan, 1, 7, 3)), (Texts{{"forward", 1, 1, 7}, {"head", 1, 1, 7}}));
  EXPECT_EQ(texts(decoding_calls(plan, 19, 7, 3)),
            (Texts{{"forward", 2, 8, 7}, {"forward", 1, 3, 7}, {"head", 4, 4, 7}, {"head", 1, 3, 7}}));
}

TEST(PrefillCalls, WantTheLastRowAlone) {
  const Plan plan = called_example();
  EXPECT_EQ(texts(prefill_calls(plan, 20, 3)),
            (Texts{{"forward_none", 2, 8, 8.5}, {"forward_one", 1, 4, 18.5}, {"head", 1, 1, 20}}));
  EXPECT_EQ(texts(prefill_calls(plan, 16, 3)),
            (Texts{{"forward_none", 1, 8, 4.5}, {"forward_one", 1, 8, 12.5}, {"head", 1, 1, 16}}));
  EXPECT_EQ(texts(prefill_calls(plan, 1, 3)), (Texts{{"forward", 1, 1, 1}, {"head", 1, 1, 1}}));
  EXPECT_TRUE(prefill_calls(plan, 0, 3).empty());
}

TEST(PrefillCalls, TakeForwardWhereThereIsNothingBetter) {
  Plan plan = called_example();
  std::erase_if(plan.entries, [](const Entry& entry) { return entry.function.starts_with("forward_"); });
  EXPECT_EQ(texts(prefill_calls(plan, 20, 3)),
            (Texts{{"forward", 2, 8, 8.5}, {"forward", 1, 4, 18.5}, {"head", 1, 1, 20}}));
}

TEST(Calls, AreCountedWithAllThatTheyExecute) {
  const Plan plan = called_example();
  EXPECT_EQ(barriers(decoding_calls(plan, 1, 7, 1)), 2 * 3 + 2 * 1);
  EXPECT_EQ(barriers(prefill_calls(plan, 20, 1)), 2 * 2 * 11 + 2 * 7 + 2);
  EXPECT_NEAR(predicted_s(decoding_calls(plan, 1, 7, 1)), 2 * 2 * 1.007, 1e-9);
  EXPECT_NEAR(predicted_s(prefill_calls(plan, 16, 1)), 2 * (8.0045 + 8.0125 + 1.016), 1e-9);
}

TEST(Calls, OfWhatThePlanLacksAreLeftOut) {
  EXPECT_TRUE(decoding_calls({}, 3, 7, 1).empty());
  EXPECT_TRUE(prefill_calls({}, 3, 1).empty());
}

TEST(Calls, BarriersOfAHostilePlanDontOverflow) {
  Plan plan = called_example();
  plan.entries[0].ops[0].count = std::int64_t{1} << 53;
  plan.entries[0].ops[0].barriers = std::int64_t{1} << 20;
  EXPECT_EQ(barriers(decoding_calls(plan, 1, 7, 1)), std::numeric_limits<std::int64_t>::max());
}

}  // namespace
}  // namespace strata::plan
