// SPDX-License-Identifier: Apache-2.0
// A softmax and the sum that it weights, op by op, as the one reduction of a tuple that attention is declared as: then
// no matrix of scores exists (Milakov and Gimelshein, arXiv 1805.02867).
#include <algorithm>

#include "rules/algebra.h"
#include "rules/conditions.h"

namespace strata::rules {
namespace {

// How the scores of an attention are written; the names of what is not there are empty.
struct Scores {
  std::string text;           // of a block of scores before the mask
  std::string factor = "?s";  // of the products
  std::string softcap = "";   // what the tangent of the scaled products is multiplied by,
  bool is_divided = false;    // and what they are divided by before that
  std::string window = "";    // the mask whose length is taken
};

// What the op is told of its scores. Products without a factor have one of 1.
Compute attributes_of(const Scores& scores) {
  return [=](const Matched& m) -> std::optional<ir::Attributes> {
    const double factor = scores.factor.empty() ? 1.0 : *m.facts(scores.factor).scalar;
    ir::Attributes attributes = {{"scale", factor}};
    if (!scores.window.empty()) attributes["window"] = m.integer(scores.window, "window");
    if (scores.softcap.empty()) return attributes;
    attributes["softcap"] = *m.facts(scores.softcap).scalar;
    if (!scores.is_divided) attributes["scale"] = factor * *m.facts(scores.softcap).scalar;
    return attributes;
  };
}

// Heads and tokens, which products of batches have the other way round.
Compute heads_inside() {
  return [](const Matched&) { return ir::Attributes{{"perm", std::vector<std::int64_t>{1, 0, 2}}}; };
}

// Batches of matrices of these sizes; one of them may vary.
std::optional<ir::Attributes> reshaped(const ir::Shape& shape) {
  std::vector<std::int64_t> sizes;
  for (const ir::Dim& dim : shape) sizes.push_back(dim.is_constant() ? dim.factor() : -1);
  if (std::ranges::count(sizes, -1) > 1) return std::nullopt;
  return ir::Attributes{{"shape", sizes}};
}

// The rows of all batches of ?x that share one of ?w, as rows of that one.
Compute shared_rows() {
  return [](const Matched& m) -> std::optional<ir::Attributes> {
    const ir::Shape& x = m.type("?x").shape;
    const ir::Dim& batches = m.type("?w").shape[0];
    if (!x[0].is_constant() || !batches.is_constant()) return std::nullopt;
    return reshaped({batches, ir::Dim(x[0].factor() / batches.factor()) * x[1], x[2]});
  };
}

// Their products, which have as many columns as that axis of ?w, by the batches of ?x again.
Compute own_rows(std::size_t axis) {
  return [axis](const Matched& m) {
    const ir::Shape& x = m.type("?x").shape;
    return reshaped({x[0], x[1], m.type("?w").shape[axis]});
  };
}

// What makes attention of ?q, ?k, ?v and ?p by the op that has such scores.
Row attention(std::string name, const Scores& scores) {
  std::vector<Condition> conditions = {is_f32("?q")};
  for (const std::string& number : {scores.factor, scores.softcap}) {
    if (!number.empty()) conditions.push_back(all({is_moderate(number), is_f32(number)}));
  }
  conditions.push_back(let("?a", attributes_of(scores)));
  conditions.push_back(let("?t", heads_inside()));
  const std::string op =
      (scores.window.empty() ? "" : "windowed_") + std::string(scores.softcap.empty() ? "" : "capped_") + "attention";
  const std::string mask = scores.window.empty() ? "causal_mask" : "window_mask{" + scores.window + "}";
  return {std::move(name), "grouped_matmul(softmax(" + mask + "(" + scores.text + ", ?p)), ?v)",
          "transpose{?t}(" + op + "{?a}(transpose{?t}(?q), ?k, ?v, ?p))", all(std::move(conditions))};
}

}  // namespace

// clang-format off
Table attention_table() {
  const std::string products = "grouped_matmul_nt(?q, ?k)";
  const std::string scaled = "mul(" + products + ", ?s)";
  const std::string capped = "mul(tanh(" + scaled + "), ?c)";
  const std::string divided = "mul(tanh(div(" + scaled + ", ?c)), ?c)";
  return {
      {"batch-matmul-as-grouped", "batch_matmul(?x, ?w)", "grouped_matmul(?x, ?w)", {}},
      {"batch-nt-as-grouped", "batch_matmul_nt(?x, ?w)", "grouped_matmul_nt(?x, ?w)", {}},
      {"grouped-matmul-as-batch", "grouped_matmul(?x, ?w)", "reshape{?u}(batch_matmul(reshape{?r}(?x), ?w))", all({let("?r", shared_rows()), let("?u", own_rows(2))})},
      {"grouped-nt-as-batch", "grouped_matmul_nt(?x, ?w)", "reshape{?u}(batch_matmul_nt(reshape{?r}(?x), ?w))", all({let("?r", shared_rows()), let("?u", own_rows(1))})},
      {"scale-before-grouped-nt", "grouped_matmul_nt(mul(?x, ?s), ?w)", "mul(grouped_matmul_nt(?x, ?w), ?s)", all({is_moderate("?s"), is_f32("?x"), is_f32("?s")})},

      attention("softmax-then-sum", {.text = scaled}),
      attention("windowed-softmax-then-sum", {.text = scaled, .window = "?w"}),
      attention("capped-softmax-then-sum", {.text = capped, .softcap = "?c"}),
      attention("windowed-capped-softmax-then-sum", {.text = capped, .softcap = "?c", .window = "?w"}),
      attention("divided-capped-softmax-then-sum", {.text = divided, .softcap = "?c", .is_divided = true}),
      attention("divided-windowed-capped-softmax-then-sum", {.text = divided, .softcap = "?c", .is_divided = true, .window = "?w"}),
      attention("unscaled-softmax-then-sum", {.text = products, .factor = ""}),
      attention("unscaled-windowed-softmax-then-sum", {.text = products, .factor = "", .window = "?w"}),
      attention("unscaled-capped-softmax-then-sum", {.text = "mul(tanh(" + products + "), ?c)", .factor = "", .softcap = "?c"}),
      attention("unscaled-windowed-capped-softmax-then-sum", {.text = "mul(tanh(" + products + "), ?c)", .factor = "", .softcap = "?c", .window = "?w"}),
  };
}
// clang-format on

}  // namespace strata::rules
