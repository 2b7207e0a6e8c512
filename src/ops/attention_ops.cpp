// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "ops/named_op.h"

namespace strata::ops {
namespace {

using ir::Attributes;
using ir::TensorType;

// The position as a row of a cache with `context` rows.
std::int64_t cache_row(const ir::Op& op, double position, std::int64_t context) {
  if (position >= 0 && position < static_cast<double>(context)) return static_cast<std::int64_t>(position);
  throw usage_error(
      op.name() + ": position " + std::to_string(static_cast<std::int64_t>(position)) + " is not in the cache",
      "positions are less than " + std::to_string(context));
}

// cache[kv_heads, ctx, dim], x[seq, kv_heads, dim], positions[seq]: the cache with row positions[s] of every head
// replaced by x[s], in the cache's memory.
class CacheAppendOp : public NamedOp {
 public:
  CacheAppendOp() : NamedOp("cache_append", {"cache", "x", "positions"}) {}

  TensorType infer(std::span<const TensorType> operands, const Attributes& attributes) const override {
    ir::check_attribute_names(*this, attributes, {});
    require_rank(operands, 0, 3);
    require_rank(operands, 1, 3);
    require_rank(operands, 2, 1);
    require_integers(operands, 2);
    require_equal(operands, {0, 0}, {1, 1});
    require_equal(operands, {0, 2}, {1, 2});
    require_equal(operands, {1, 0}, {2, 0});
    return operands[0];
  }

  std::vector<double> evaluate(std::span<const ir::Value> operands, const Attributes&,
                               const TensorType& result) const override {
    std::vector<double> cache = operands[0].data;
    const std::int64_t heads = result.shape[0].factor();
    const std::int64_t context = result.shape[1].factor();
    const std::int64_t dim = result.shape[2].factor();
    auto row = operands[1].data.begin();
    for (const double position : operands[2].data) {
      const std::int64_t at = cache_row(*this, position, context);
      for (std::int64_t h = 0; h < heads; ++h, row += dim) {
        std::copy_n(row, dim, cache.begin() + (h * context + at) * dim);
      }
    }
    return cache;
  }

  ir::Work work(std::span<const TensorType> operands, const Attributes&, const TensorType& result) const override {
    ir::Work work = copy_work(operands.subspan(1), result);
    work.written_bytes =
        static_cast<double>(ir::max_element_count(operands[1].shape)) * static_cast<double>(dtype_size(result.dtype));
    return work;
  }

  std::optional<int> aliased_operand() const override { return 0; }
  bool writes_alias() const override { return true; }
};

// Causal grouped-query attention of q[seq, heads, dim] over k_cache and v_cache[kv_heads, ctx, dim]: query s sees rows
// 0..positions[s] of key/value head h / (heads / kv_heads). Scores are multiplied by the attribute scale.
class AttentionOp : public NamedOp {
 public:
  AttentionOp() : NamedOp("attention", {"q", "k_cache", "v_cache", "positions"}) {}

  TensorType infer(std::span<const TensorType> operands, const Attributes& attributes) const override {
    static const std::vector<std::string> kKnown = {"scale"};
    ir::check_attribute_names(*this, attributes, kKnown);
    (void)ir::float_attribute(*this, attributes, "scale");
    for (int i = 0; i < 3; ++i) require_rank(operands, i, 3);
    require_rank(operands, 3, 1);
    require_integers(operands, 3);
    require_equal(operands, {0, 0}, {3, 0});
    require_equal(operands, {0, 2}, {1, 2});
    for (int axis = 0; axis < 3; ++axis) require_equal(operands, {1, axis}, {2, axis});
    require_groups(operands[0].shape[1], operands[1].shape[0]);
    return {DType::kF32, operands[0].shape, {}, {}};
  }

  std::vector<double> evaluate(std::span<const ir::Value> operands, const Attributes& attributes,
                               const TensorType& result) const override {
    const std::int64_t heads = result.shape[1].factor();
    const std::int64_t dim = result.shape[2].factor();
    const std::int64_t group = heads / operands[1].type.shape[0].factor();
    const std::int64_t context = operands[1].type.shape[1].factor();
    const double scale = ir::float_attribute(*this, attributes, "scale");
    std::vector<double> out(operands[0].data.size());
    for (std::size_t s = 0; s < operands[3].data.size(); ++s) {
      const std::int64_t rows = cache_row(*this, operands[3].data[s], context) + 1;
      for (std::int64_t h = 0; h < heads; ++h) {
        const std::int64_t query = (static_cast<std::int64_t>(s) * heads + h) * dim;
        const std::int64_t head = h / group * context * dim;
        attend(operands[0].data.data() + query, operands[1].data.data() + head, operands[2].data.data() + head, rows,
               dim, scale, out.data() + query);
      }
    }
    return out;
  }

  ir::Work work(std::span<const TensorType> operands, const Attributes&, const TensorType& result) const override {
    ir::Work work = copy_work(operands, result);
    const auto context = static_cast<double>(operands[1].shape[1].max());
    const auto queries = static_cast<double>(ir::max_element_count({operands[0].shape[0], operands[0].shape[1]}));
    const auto dim = static_cast<double>(operands[0].shape[2].max());
    // Two products, and scale, maximum, subtract, exponential, sum per score.
    work.flops = queries * context * (4 * dim + 5);
    return work;
  }

 private:
  static void require_groups(const ir::Dim& heads, const ir::Dim& kv_heads) {
    if (heads.is_constant() && kv_heads.is_constant() && heads.factor() % kv_heads.factor() == 0) return;
    throw usage_error("attention: " + heads.text() + " heads of operand q don't share the " + kv_heads.text() +
                          " heads of operand k_cache evenly",
                      "the number of key/value heads must divide that of the query heads");
  }

  // out[dim] = softmax(scale q k^T) v for one query and head.
  static void attend(const double* q, const double* k, const double* v, std::int64_t rows, std::int64_t dim,
                     double scale, double* out) {
    std::vector<double> scores(static_cast<std::size_t>(rows));
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t i = 0; i < dim; ++i) scores[r] += q[i] * k[r * dim + i];
      scores[r] *= scale;
    }
    const double largest = *std::max_element(scores.begin(), scores.end());
    double sum = 0;
    for (double& score : scores) sum += score = std::exp(score - largest);
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t i = 0; i < dim; ++i) out[i] += scores[r] / sum * v[r * dim + i];
    }
  }
};

}  // namespace

void register_attention_ops() {
  register_op<CacheAppendOp>();
  register_op<AttentionOp>();
}

}  // namespace strata::ops
