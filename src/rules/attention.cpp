// SPDX-License-Identifier: Apache-2.0
// A softmax and the sum that it weights, op by op, as the one reduction of a tuple that attention is declared as: then
// no matrix of scores exists (Milakov and Gimelshein, arXiv 1805.02867).
#include <algorithm>

#include "rules/algebra.h"
#include "rules/conditions.h"

namespace strata::rules {
namespace {

// What the op is told of its scores: the factor of the products; with a soft cap also that, and a factor that it then
// divides; of a window its length.
Compute scores(std::string factor, std::string softcap, std::string window, bool is_divided) {
  return [=](const Matched& m) -> std::optional<ir::Attributes> {
    ir::Attributes attributes = {{"scale", *m.facts(factor).scalar}};
    if (!window.empty()) attributes["window"] = m.integer(window, "window");
    if (softcap.empty()) return attributes;
    attributes["softcap"] = *m.facts(softcap).scalar;
    if (!is_divided) attributes["scale"] = *m.facts(factor).scalar * *m.facts(softcap).scalar;
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

// What makes attention of ?q, ?k, ?v and ?p by the op's name, its scores written as `text` says.
Row attention(std::string name, const std::string& text, std::string softcap = "", std::string window = "",
              bool is_divided = false) {
  std::vector<Condition> conditions = {is_f32("?q"), is_moderate("?s"), is_f32("?s")};
  if (!softcap.empty()) conditions.push_back(all({is_moderate(softcap), is_f32(softcap)}));
  conditions.push_back(let("?a", scores("?s", softcap, window, is_divided)));
  conditions.push_back(let("?t", heads_inside()));
  const std::string op =
      (window.empty() ? "" : "windowed_") + std::string(softcap.empty() ? "" : "capped_") + "attention";
  return {std::move(name), "grouped_matmul(softmax(" + text + "), ?v)",
          "transpose{?t}(" + op + "{?a}(transpose{?t}(?q), ?k, ?v, ?p))", all(std::move(conditions))};
}

}  // namespace

// clang-format off
Table attention_table() {
  const std::string scaled = "mul(grouped_matmul_nt(?q, ?k), ?s)";
  const std::string capped = "mul(tanh(" + scaled + "), ?c)";
  const std::string divided = "mul(tanh(div(" + scaled + ", ?c)), ?c)";
  return {
      {"batch-matmul-as-grouped", "batch_matmul(?x, ?w)", "grouped_matmul(?x, ?w)", {}},
      {"batch-nt-as-grouped", "batch_matmul_nt(?x, ?w)", "grouped_matmul_nt(?x, ?w)", {}},
      {"grouped-matmul-as-batch", "grouped_matmul(?x, ?w)", "reshape{?u}(batch_matmul(reshape{?r}(?x), ?w))", all({let("?r", shared_rows()), let("?u", own_rows(2))})},
      {"grouped-nt-as-batch", "grouped_matmul_nt(?x, ?w)", "reshape{?u}(batch_matmul_nt(reshape{?r}(?x), ?w))", all({let("?r", shared_rows()), let("?u", own_rows(1))})},
      {"scale-before-grouped-nt", "grouped_matmul_nt(mul(?x, ?s), ?w)", "mul(grouped_matmul_nt(?x, ?w), ?s)", all({is_moderate("?s"), is_f32("?x"), is_f32("?s")})},

      attention("softmax-then-sum", "causal_mask(" + scaled + ", ?p)"),
      attention("windowed-softmax-then-sum", "window_mask{?w}(" + scaled + ", ?p)", "", "?w"),
      attention("capped-softmax-then-sum", "causal_mask(" + capped + ", ?p)", "?c"),
      attention("windowed-capped-softmax-then-sum", "window_mask{?w}(" + capped + ", ?p)", "?c", "?w"),
      attention("divided-capped-softmax-then-sum", "causal_mask(" + divided + ", ?p)", "?c", "", true),
      attention("divided-windowed-capped-softmax-then-sum", "window_mask{?w}(" + divided + ", ?p)", "?c", "?w", true),
  };
}
// clang-format on

}  // namespace strata::rules
