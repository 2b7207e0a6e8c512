// SPDX-License-Identifier: Apache-2.0
// How ops can be divided among the devices of a mesh: by their index maps, and that it gives the same result.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "ir/by_number.h"
#include "ir/group_op.h"
#include "ir/interpreter.h"
#include "ir/text.h"
#include "ops/structured_op.h"
#include "tests/ops/op_testing.h"

namespace strata::ops {
namespace {

using ir::Combiner;
using ir::Sbp;
using ir::SbpSignature;
using ir::TensorType;
using ir::Value;
using Ints = std::vector<std::int64_t>;
using Texts = std::vector<std::string>;

TensorType bf16(ir::Shape shape) { return {DType::kBF16, std::move(shape)}; }

std::vector<SbpSignature> signatures(const ir::Op& op, const std::vector<TensorType>& operands,
                                     const ir::Attributes& attributes = {}) {
  return op.sbp_signatures(operands, attributes, op.infer(operands, attributes));
}

Texts texts(const ir::Op& op, const std::vector<TensorType>& operands, const ir::Attributes& attributes = {}) {
  Texts found;
  for (const SbpSignature& signature : signatures(op, operands, attributes)) found.push_back(signature.text(op));
  return found;
}

Texts texts(const std::string& op, const std::vector<TensorType>& operands, const ir::Attributes& attributes = {}) {
  return texts(ir::get_op(op), operands, attributes);
}

TEST(Signatures, OfAMatmulAreItsIterators) {
  EXPECT_EQ(texts("batch_matmul", {f32({2, 4, 8}), f32({2, 8, 6})}),
            (Texts{"a: S(0), b: S(0) -> S(0)", "a: S(1), b: B -> S(1)", "a: B, b: S(2) -> S(2)",
                   "a: S(2), b: S(1) -> P", "a: P, b: B -> P", "a: B, b: P -> P"}));
}

TEST(Signatures, AnOperandThatIsNotIndexedIsWhole) {
  EXPECT_EQ(texts("mul", {f32({2, 4}), f32({4})}),
            (Texts{"a: S(0), b: B -> S(0)", "a: S(1), b: S(0) -> S(1)", "a: P, b: B -> P", "a: B, b: P -> P"}));
  EXPECT_EQ(texts("mul", {f32({2, 4}), f32({2, 1})}),
            (Texts{"a: S(0), b: S(0) -> S(0)", "a: S(1), b: B -> S(1)", "a: P, b: B -> P", "a: B, b: P -> P"}))
      << "an axis of size 1 stretches";
}

TEST(Signatures, PartsOfAnyCombinerMoveUnchanged) {
  EXPECT_EQ(texts("transpose", {f32({2, 4})}, {{"perm", Ints{1, 0}}}),
            (Texts{"x: S(1) -> S(0)", "x: S(0) -> S(1)", "x: P -> P", "x: P(max) -> P(max)", "x: P(min) -> P(min)",
                   "x: P(product) -> P(product)"}));
  EXPECT_EQ(texts("transpose", {bf16({2, 4})}, {{"perm", Ints{1, 0}}}),
            (Texts{"x: S(1) -> S(0)", "x: S(0) -> S(1)", "x: P(max) -> P(max)", "x: P(min) -> P(min)"}));
  EXPECT_EQ(texts("round", {f32({2, 4})}, {{"dtype", DType::kBF16}}),
            (Texts{"x: S(0) -> S(0)", "x: S(1) -> S(1)", "x: P(max) -> P(max)", "x: P(min) -> P(min)"}))
      << "the sum of rounded summands is not the rounded sum";
}

TEST(Signatures, OfReductionsAreTheirCombiners) {
  EXPECT_EQ(texts("reduce_max", {bf16({2, 4})}),
            (Texts{"x: S(0) -> S(0)", "x: S(1) -> P(max)", "x: P(max) -> P(max)"}));
  EXPECT_EQ(texts("reduce_sum", {f32({2, 4})}), (Texts{"x: S(0) -> S(0)", "x: S(1) -> P", "x: P -> P"}));
  EXPECT_EQ(texts("reduce_sum", {bf16({2, 4})}), Texts{"x: S(0) -> S(0)"}) << "summands would be rounded";
  EXPECT_EQ(texts("reduce_mean", {f32({2, 4})}), (Texts{"x: S(0) -> S(0)", "x: P -> P"}))
      << "a part divides by the extent of the part";
}

// A part of a sum in 16 bits would be rounded before it is added.
TEST(Signatures, OnlyWhatIsNotRoundedIsAPartOfASum) {
  for (const std::string& text : texts("batch_matmul", {bf16({2, 4, 8}), bf16({2, 8, 6})})) {
    EXPECT_EQ(text.find(": P"), std::string::npos) << text;
  }
}

TEST(Signatures, WhatIsReadNonlinearlyIsNotPartial) {
  EXPECT_EQ(texts("rms_norm", {f32({2, 4}), f32({4})}, {{"eps", 1e-6}}),
            (Texts{"x: S(0), w: B -> S(0)", "x: B, w: P -> P"}));
  EXPECT_EQ(texts("softmax", {f32({2, 4})}), Texts{"x: S(0) -> S(0)"});
  EXPECT_EQ(texts("silu", {f32({4})}), Texts{"x: S(0) -> S(0)"});
}

TEST(Signatures, OfAttentionAreQueriesHeadsAndValues) {
  const std::vector<TensorType> operands = {f32({2, 4, 6}), f32({2, 8, 6}), f32({2, 8, 10}), i32({2})};
  EXPECT_EQ(texts("attention", operands, {{"scale", 1.0}}),
            (Texts{"q: S(0), k_cache: B, v_cache: B, positions: S(0) -> S(0)",
                   "q: S(1), k_cache: S(0), v_cache: S(0), positions: B -> S(1)",
                   "q: B, k_cache: B, v_cache: S(2), positions: B -> S(2)"}))
      << "heads with the key/value heads that they share; neither the context, whose tuple of states is no tensor, nor"
         " the products of a score";
}

TEST(Signatures, OfRowsByNumber) {
  EXPECT_EQ(texts("gather", {f32({8, 4}), i32({6})}),
            (Texts{"table: B, ids: S(0) -> S(0)", "table: S(1), ids: B -> S(1)", "table: P, ids: B -> P",
                   "table: P(max), ids: B -> P(max)", "table: P(min), ids: B -> P(min)",
                   "table: P(product), ids: B -> P(product)"}));
  EXPECT_EQ(texts("cache_append", {f32({2, 8, 4}), f32({6, 2, 4}), i32({6})}),
            (Texts{"cache: S(0), x: S(1), positions: B -> S(0)", "cache: S(2), x: S(2), positions: B -> S(2)"}))
      << "where a row goes is data";
}

TEST(Signatures, ShiftedAndCutAxesAreNotSplit) {
  EXPECT_EQ(texts("slice", {f32({4, 6})}, {{"axis", 1L}, {"begin", 0L}, {"end", 4L}}).front(), "x: S(0) -> S(0)");
  EXPECT_EQ(texts("slice", {f32({4, 6})}, {{"axis", 1L}, {"begin", 0L}, {"end", 4L}})[1], "x: P -> P")
      << "the first part of the range is not the first part of the axis";
  EXPECT_EQ(texts("concat", {f32({4, 6}), f32({2, 6})}, {{"axis", 0L}}).front(), "a: S(1), b: S(1) -> S(1)");
  EXPECT_EQ(texts("concat", {f32({4, 6}), f32({2, 6})}, {{"axis", 0L}})[1], "a: P, b: P -> P");
  EXPECT_EQ(texts("rope", {f32({2, 4, 2, 6}), f32({2, 6}), f32({2, 6})}),
            (Texts{"x: S(0), cos: S(0), sin: S(0) -> S(0)", "x: S(1), cos: B, sin: B -> S(1)",
                   "x: S(3), cos: S(1), sin: S(1) -> S(3)", "x: P, cos: B, sin: B -> P", "x: B, cos: P, sin: P -> P"}))
      << "of the halves of a head each reads the other";
}

TEST(Signatures, OfReshapes) {
  const auto of = [](const ir::Shape& from, const Ints& to) {
    Texts all = texts("reshape", {f32(from)}, {{"shape", to}});
    all.resize(all.size() - 4);  // parts move unchanged
    return all;
  };
  EXPECT_EQ(of({4, 6}, {24}), Texts{"x: S(0) -> S(0)"});
  EXPECT_EQ(of({4, 6}, {2, 2, 6}), (Texts{"x: S(0) -> S(0)", "x: S(1) -> S(2)"}));
  EXPECT_EQ(of({4, 6}, {4, 1, 2, 3}), (Texts{"x: S(0) -> S(0)", "x: S(1) -> S(2)"}));
  EXPECT_EQ(of({1, 4, 6}, {6, 4}), Texts{"x: S(1) -> S(0)"});
}

// Each index here looks as if the iterator ran along the operand's axis.
TEST(Signatures, NearMisses) {
  const auto none = [](const std::string& declaration, const std::vector<TensorType>& operands) {
    const std::vector<std::string> names = {"x", "w"};
    const StructuredOp op("near", {names.begin(), names.begin() + static_cast<std::ptrdiff_t>(operands.size())},
                          declaration);
    for (const SbpSignature& signature : signatures(op, operands)) {
      EXPECT_TRUE(signature.result.is_partial()) << declaration << ": " << signature.text(op);
    }
  };
  none("y[i] = x[i, i]", {f32({4, 4})});
  none("y[i] = x[i] + x[0]", {f32({4})});
  none("y[i] = x[i] * i", {f32({4})});
  none("y[i] = x[i] / extent(i)", {f32({4})});
  none("y[i] = x[i] + w[extent(i) - i - 1]", {f32({4}), f32({4})});
  none("y[i] = x[i] + w[i % 2]", {f32({4}), f32({2})});
  none("y[i] = x[i] + w[i / 2]", {f32({4}), f32({3})});
  none("y[i] = x[i] + sum(t <= i) w[t]", {f32({4}), f32({4})});
  none("m[] = sum(i) x[i]; y[i] = x[i] - m[]", {f32({4})});
  const auto seq = std::make_shared<const ir::Symbol>(ir::Symbol{"seq", 2, 8, 1});
  none("y[i] = x[i] + w[i + 1]", {f32({ir::Dim(1, seq)}), f32({ir::Dim(1, seq)})});
}

TEST(Signatures, ATupleOfStatesIsNoTensor) {
  const StructuredOp op("weigh", {"x", "v"}, "y[s, d] = softmax_sum(t) x[s, t], v[t, d]", ResultDType::kF32);
  EXPECT_EQ(texts(op, {f32({2, 4}), f32({4, 6})}), (Texts{"x: S(0), v: B -> S(0)", "x: B, v: S(1) -> S(1)"}));
}

TEST(Signatures, AQuotientSplitsTogetherWithWhatItDivides) {
  const StructuredOp op("scaled", {"x", "scale"}, "y[n, k] = x[n, k] * scale[n, k / 4]");
  const Texts found = texts(op, {f32({2, 16}), f32({2, 4})});
  EXPECT_EQ(found[1], "x: S(1), scale: S(1) -> S(1)");
}

// Whole and parts -------------------------------------------------------------------------------------------------

double combined(Combiner combiner, double a, double b) {
  switch (combiner) {
    case Combiner::kMax:
      return std::max(a, b);
    case Combiner::kMin:
      return std::min(a, b);
    case Combiner::kProduct:
      return a * b;
    default:
      return a + b;
  }
}

Value combined(Combiner combiner, const std::vector<Value>& parts) {
  Value whole = parts[0];
  for (std::size_t d = 1; d < parts.size(); ++d) {
    for (std::size_t i = 0; i < whole.data.size(); ++i) {
      whole.data[i] = combined(combiner, whole.data[i], parts[d].data[i]);
    }
  }
  return whole;
}

std::int64_t outer_count(const TensorType& type, int axis) {
  return ir::max_element_count(ir::Shape(type.shape.begin(), type.shape.begin() + axis));
}

std::vector<Value> split(const Value& whole, int axis, int devices) {
  const std::int64_t outer = outer_count(whole.type, axis);
  const std::int64_t run = static_cast<std::int64_t>(whole.data.size()) / outer / devices;
  std::vector<Value> parts(static_cast<std::size_t>(devices), Value{whole.type, {}});
  for (std::int64_t d = 0; d < devices; ++d) {
    Value& part = parts[static_cast<std::size_t>(d)];
    part.type.shape[static_cast<std::size_t>(axis)] =
        whole.type.shape[static_cast<std::size_t>(axis)].factor() / devices;
    for (std::int64_t o = 0; o < outer; ++o) {
      const auto begin = whole.data.begin() + (o * devices + d) * run;
      part.data.insert(part.data.end(), begin, begin + run);
    }
  }
  return parts;
}

std::vector<double> joined(const std::vector<Value>& parts, int axis) {
  const std::int64_t outer = outer_count(parts[0].type, axis);
  std::vector<double> all;
  for (std::int64_t o = 0; o < outer; ++o) {
    for (const Value& part : parts) {
      const std::int64_t run = static_cast<std::int64_t>(part.data.size()) / outer;
      all.insert(all.end(), part.data.begin() + o * run, part.data.begin() + (o + 1) * run);
    }
  }
  return all;
}

struct Case {
  std::string op;
  std::vector<TensorType> operands;
  ir::Attributes attributes = {};
  std::int64_t numbers_below = 1;  // what operands of integers hold
};

class Extents {
 public:
  explicit Extents(unsigned seed) : engine_(seed) {}
  std::int64_t operator()(int unit = 1) { return unit * static_cast<std::int64_t>(1 + engine_() % 3); }

 private:
  std::mt19937 engine_;
};

// Of every op, sizes that the number of devices divides.
std::vector<Case> cases(Extents& size, int devices) {
  const std::int64_t m = size(devices), n = size(devices), k = size(devices), b = size(devices);
  const std::int64_t context = m + size(devices);
  const std::vector<TensorType> attended = {f32({m, 2 * b, k}), f32({b, context, k}), f32({b, context, n}), i32({m})};
  // Two pages, the numbers of these the same for all rows, and each row's own.
  const std::vector<TensorType> paged = {f32({m, 2 * b, k}), f32({b, 512, k}), f32({b, 512, n}), i32({m}), i32({2})};
  std::vector<TensorType> own_paged = paged;
  own_paged.back() = i32({m, 2});
  std::vector<Case> all = {
      {"matmul", {f32({b, m, k}), f32({k, n})}},
      {"matmul_nt", {f32({m, k}), f32({n, k})}},
      {"matmul_tn", {f32({k, m}), bf16({k, n})}},
      {"batch_matmul", {f32({b, m, k}), f32({b, k, n})}},
      {"batch_matmul_nt", {bf16({b, m, k}), bf16({b, n, k})}},
      {"grouped_matmul", {f32({2 * b, m, k}), f32({b, k, n})}},
      {"grouped_matmul_nt", {f32({2 * b, m, k}), bf16({b, n, k})}},
      {"scale_blocks", {f32({m, 3 * k}), f32({m, k})}},
      {"causal_mask", {f32({b, m, context}), i32({m})}, {}, context},
      {"window_mask", {f32({b, m, context}), i32({m})}, {{"window", 2.0}}, context},
      {"rms_norm", {f32({m, k}), f32({k})}, {{"eps", 1e-6}}},
      {"layer_norm", {f32({b, m, k}), f32({k}), f32({k})}, {{"eps", 1e-6}}},
      {"reduce_sum", {bf16({m, k})}},
      {"reduce_max", {bf16({m, k})}},
      {"rope_angles", {f32({m}), f32({k})}},
      {"rope", {f32({m, b, 2, k}), f32({m, k}), f32({m, k})}},
      {"gather", {f32({k, n}), i32({m})}, {}, k},
      {"cache_append", {f32({b, context, k}), f32({m, b, k}), i32({m})}, {}, context},
      {"attention", attended, {{"scale", 0.5}}, context},
      {"windowed_attention", attended, {{"scale", 0.5}, {"window", 2.0}}, context},
      {"capped_attention", attended, {{"scale", 0.5}, {"softcap", 3.0}}, context},
      {"windowed_capped_attention", attended, {{"scale", 0.5}, {"softcap", 3.0}, {"window", 3.0}}, context},
      {"paged_attention", paged, {{"scale", 0.5}}, 2},
      {"windowed_paged_attention", paged, {{"scale", 0.5}, {"window", 3.0}}, 2},
      {"each_paged_attention", own_paged, {{"scale", 0.5}}, 2},
      {"windowed_each_paged_attention", own_paged, {{"scale", 0.5}, {"window", 3.0}}, 2},
      {"transpose", {bf16({m, n, k})}, {{"perm", Ints{2, 0, 1}}}},
      {"slice", {f32({m, 2 * n, k})}, {{"axis", 1L}, {"begin", 0L}, {"end", n}}},
      {"slice", {f32({m, n})}, {{"axis", 0L}, {"begin", m - 1}, {"end", m}}},
      {"concat", {f32({m, n}), f32({k, n})}, {{"axis", 0L}}},
      {"reshape", {f32({m, n, k})}, {{"shape", Ints{1, m, n * k}}}},
      {"reshape", {f32({m * n, k})}, {{"shape", Ints{m, n, 1, k}}}},
      {"reshape", {f32({m, n})}, {{"shape", Ints{n, m}}}},
      {"pack", {f32({m, n})}, {{"layout", ir::Layout{{{4, 0}}}}}},
      {"round", {f32({m, n})}, {{"dtype", DType::kBF16}}},
      {"unpack", {{DType::kF32, {m, n}, {{{4, 0}}}}}},
      {"cast", {bf16({m, n})}, {{"dtype", DType::kF32}}},
      {"cast", {f32({m, n})}, {{"dtype", DType::kBF16}}},
      {"cast", {f32({m, n})}, {{"dtype", DType::kI32}}},
      {"mul", {bf16({m, n}), f32({n})}},
      {"largest_k", {f32({m, 3})}, {{"k", 2L}}},
      {"take", {f32({m, k}), i32({m, n})}, {}, k},
      {"weighted_sum", {f32({m, k}), f32({m, k, n})}},
      {"routed_matmul_nt", {f32({m, k}), f32({b, n, k}), i32({m, devices})}, {}, b},
      {"routed_rows_matmul_nt", {f32({m, devices, k}), f32({b, n, k}), i32({m, devices})}, {}, b},
      {"matmul_nt_by_number", {f32({m, k}), f32({b * n, k}), i32({m, devices})}, {{"matrices", b}}, b},
      {"sub", {f32({m, n}), f32({m, 1})}},
  };
  for (const char* name : {"scaled_matmul_nt_by_number", "nested_matmul_nt_by_number",
                           "scaled_rows_matmul_nt_by_number", "nested_rows_matmul_nt_by_number"}) {
    const ir::ByNumber& of = *ir::by_number(ir::get_op(name));
    Case& c = all.emplace_back(Case{name, {}, {{"matrices", b}}, b});
    for (int i = 0; i < of.of_one().arity(); ++i) {
      // The operands that are multiplied, and scales of blocks of them.
      const bool is_whole = i == 0 || of.of_one().operand_names()[static_cast<std::size_t>(i)] == "b";
      c.operands.push_back(f32({of.is_of_matrix(i) ? b * n : m, is_whole ? 2 * k : k}));
    }
    c.operands.push_back(i32({m, devices}));
  }
  for (const ir::Op* op : ir::all_ops()) {
    const std::vector<TensorType> alike(static_cast<std::size_t>(op->arity()), f32({m, n}));
    if (refusal(op->name(), alike) == "accepted") all.push_back({op->name(), alike});
  }
  return all;
}

Value random_value(const Case& c, const TensorType& type, unsigned seed) {
  Value value{type, random_tensor(type.shape, seed, 0.5, 2.5).data};
  const bool is_number = type.dtype == DType::kI32;
  for (std::size_t i = 0; i < value.data.size(); ++i) {
    // Different ones, for rows that are written.
    value.data[i] = is_number ? static_cast<double>((seed + i) % static_cast<std::size_t>(c.numbers_below))
                              : ir::round_to(type.dtype, value.data[i]);
  }
  return value;
}

Value computed(const ir::Op& op, const std::vector<Value>& operands, const ir::Attributes& attributes) {
  const TensorType type = op.infer(types_of(operands), attributes);
  Value result{type, op.evaluate(operands, attributes, type)};
  for (double& element : result.data) element = ir::round_to(type.dtype, element);
  return result;
}

// What a device's op is told: sizes that are attributes are those of its part.
ir::Attributes local_attributes(const Case& c, const Sbp& result, int devices) {
  ir::Attributes attributes = c.attributes;
  if (c.op == "reshape" && result.is_split()) {
    std::get<Ints>(attributes.at("shape"))[static_cast<std::size_t>(result.axis)] /= devices;
  }
  return attributes;
}

void check(const Case& c, const SbpSignature& signature, int devices, unsigned seed) {
  const ir::Op& op = ir::get_op(c.op);
  const auto count = static_cast<std::size_t>(devices);
  std::vector<Value> wholes;
  std::vector<std::vector<Value>> operands(count);  // by device
  for (std::size_t i = 0; i < c.operands.size(); ++i) {
    const Sbp& placed = signature.operands[i];
    std::vector<Value> parts;
    if (placed.is_partial()) {
      for (int d = 0; d < devices; ++d) parts.push_back(random_value(c, c.operands[i], seed++));
      wholes.push_back(combined(placed.combiner, parts));
    } else {
      wholes.push_back(random_value(c, c.operands[i], seed++));
      parts = placed.is_split() ? split(wholes.back(), placed.axis, devices) : std::vector<Value>(count, wholes.back());
    }
    for (std::size_t d = 0; d < count; ++d) operands[d].push_back(parts[d]);
  }
  const Value whole = computed(op, wholes, c.attributes);
  std::vector<Value> results;
  for (const auto& own : operands) results.push_back(computed(op, own, local_attributes(c, signature.result, devices)));
  const std::string what = c.op + " " + signature.text(op) + " on " + std::to_string(devices) + " devices";
  if (signature.result.is_split()) {
    expect_close(joined(results, signature.result.axis), whole.data, what, 1e-9);
  } else {
    ASSERT_TRUE(signature.result.is_partial()) << what;
    expect_close(combined(signature.result.combiner, results).data, whole.data, what, 1e-9);
  }
}

TEST(Signatures, PartsOfEveryOpAreTheWhole) {
  std::set<std::string> seen;
  for (unsigned seed = 0; seed < 12; ++seed) {
    const int devices = seed % 3 == 2 ? 3 : 2;
    Extents size(seed);
    for (const Case& c : cases(size, devices)) {
      for (const SbpSignature& signature : signatures(ir::get_op(c.op), c.operands, c.attributes)) {
        check(c, signature, devices, 1000 * seed);
        seen.insert(c.op);
      }
    }
  }
  for (const ir::Op* op : ir::all_ops()) {
    EXPECT_TRUE(seen.contains(op->name()) || ir::group_op(*op) != nullptr) << op->name();
  }
}

// Inference --------------------------------------------------------------------------------------------------------

std::string with_types(const std::string& parameters, const std::string& body) {
  const std::string text = "module m {\n  func @f(" + parameters + ") {\n" + body + "  }\n}\n";
  return ir::to_text(ir::parse_module(text, "x.ir"));
}

// A layer as tensor parallelism divides it, on a mesh that divides the rows too.
TEST(Placement, FollowsFromTheOperands) {
  const std::string parameters =
      "%x: f32[4, 8] {node: S(0)}, %up: f32[16, 8] {core: S(0)}, %down: f32[8, 16] {core: S(1)}";
  const std::string body =
      "    %0 = matmul_nt(%x, %up) : f32[4, 16] {core: S(1), node: S(0)}\n"
      "    %1 = silu(%0) : f32[4, 16] {core: S(1), node: S(0)}\n"
      "    %2 = matmul_nt(%1, %down) : f32[4, 8] {core: P, node: S(0)}\n"
      "    %3 = transpose(%2) {perm = [1, 0]} : f32[8, 4] {core: P, node: S(1)}\n"
      "    return %3\n";
  EXPECT_EQ(with_types(parameters, body), "module m {\n  func @f(" + parameters + ") {\n" + body + "  }\n}\n");
}

TEST(Placement, MayBeSplitTwiceAlongOneAxis) {
  const std::string body =
      "    %0 = exp(%x) : f32[8] {core: S(0), node: S(0)}\n"
      "    return %0\n";
  EXPECT_NE(with_types("%x: f32[8] {node: S(0), core: S(0)}", body).find("%x: f32[8] {core: S(0), node: S(0)}"),
            std::string::npos);
}

TEST(Placement, IsRefusedWhereNoSignatureTakesIt) {
  const auto message = [](const std::string& parameters, const std::string& body) {
    try {
      with_types(parameters, body);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  const std::string mismatch = message("%a: f32[4, 8] {core: S(1)}, %b: f32[6, 8] {core: S(0)}",
                                       "    %0 = matmul_nt(%a, %b) : f32[4, 6]\n    return %0\n");
  EXPECT_NE(mismatch.find("matmul_nt: no signature takes operands that lie as a: S(1), b: S(0) on the mesh axis core, "
                          "x.ir:3:10"),
            std::string::npos)
      << mismatch;
  EXPECT_NE(mismatch.find("; give them as a: S(0), b: B or a: B, b: S(0) or a: S(1), b: S(1) or a: P, b: B or "
                          "a: B, b: P or B each"),
            std::string::npos)
      << mismatch;
  EXPECT_NE(message("%x: f32[4] {core: P}", "    %0 = exp(%x) : f32[4]\n    return %0\n").find("x: P on the mesh axis"),
            std::string::npos);
  EXPECT_NE(message("%x: f32[4] {core: S(0)}", "    %0 = exp(%x) : f32[4]\n    return %0\n")
                .find("write f32[4] {core: S(0)}"),
            std::string::npos);
}

}  // namespace
}  // namespace strata::ops
