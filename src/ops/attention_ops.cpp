// SPDX-License-Identifier: Apache-2.0
#include "ir/cache_pages.h"
#include "ops/structured_op.h"

namespace strata::ops {
namespace {

// A scaled product of a query with a key, which stands in the row `at` of its head's cache.
std::string scaled_product(const std::string& at) {
  return "scale * sum(k) q[s, h, k] * k_cache[h / group, " + at + ", k]";
}

// Attention over caches, with what is made of a query's product with a key, the rows that a query sees, and where they
// stand.
StructuredRow attention(const char* name, const std::string& score, const std::string& seen,
                        const std::string& at = "t") {
  StructuredRow row = {name,
                       {"q", "k_cache", "v_cache", "positions"},
                       "score[s, h, " + seen + "] = " + score +
                           ";"
                           "y[s, h, d] = softmax_sum(" +
                           seen + ") score[s, h, t], v_cache[h / group, " + at + ", d]",
                       ResultDType::kF32,
                       ResultLayout::kRowMajor};
  if (at != "t") row.operands.emplace_back("pages");
  return row;
}

}  // namespace

// Key/value caches, and attention over them. Query s stands at positions[s] and sees the rows of the caches up to its
// own, or `window` of them. Several query heads share a key/value head (grouped-query attention). Scores may be kept
// within +-softcap (Gemma 2, arXiv 2408.00118).
//
// A cache may be one of pages, which several sequences share: kPageRows neighbouring rows of every head. `pages` has
// the numbers of a sequence's pages, in the order of its rows. The queries are of one sequence, i32[page], or each of
// its own, i32[s, page].
void register_attention_ops() {
  const std::string product = "sum(k) q[s, h, k] * k_cache[h / group, t, k]";
  const std::string scaled = scaled_product("t");
  const std::string size = std::to_string(ir::kPageRows);
  const std::string paged = size + " * pages[t / " + size + "] + t % " + size;
  const std::string each_paged = size + " * pages[s, t / " + size + "] + t % " + size;
  const std::string capped = "softcap * tanh(scale / softcap * " + product + ")";
  const std::string causal = "t <= positions[s]";
  const std::string window = causal + ", t > positions[s] - window";
  // What a softmax gives no weight: the lowest number of f32, as frameworks write it.
  const std::string hidden = "-3.4028234663852886e38";
  const std::string causal_scores = "select(lt(positions[s], t), " + hidden + ", x[h, s, t])";
  register_structured({
      // Scores of the keys that a query doesn't see.
      {"causal_mask", {"x", "positions"}, "y[h, s, t] = " + causal_scores},
      {"window_mask",
       {"x", "positions"},
       "y[h, s, t] = select(lt(t, positions[s] - window + 1), " + hidden + ", " + causal_scores + ")"},
      // Rows positions[s] of every head replaced by x[s]; the positions of one call differ.
      {"cache_append", {"cache", "x", "positions"}, "cache[h, positions[s], i] = x[s, h, i]"},
      attention("attention", scaled, causal),
      attention("windowed_attention", scaled, window),
      attention("capped_attention", capped, causal),
      attention("windowed_capped_attention", capped, window),
      attention("paged_attention", scaled_product(paged), causal, paged),
      attention("windowed_paged_attention", scaled_product(paged), window, paged),
      attention("each_paged_attention", scaled_product(each_paged), causal, each_paged),
      attention("windowed_each_paged_attention", scaled_product(each_paged), window, each_paged),
  });
}

}  // namespace strata::ops
