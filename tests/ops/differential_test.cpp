// SPDX-License-Identifier: Apache-2.0
// Declared ops against loops written by hand, on random sizes, values and indices.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/ops/op_testing.h"

namespace strata::ops {
namespace {

using ir::Value;

class Sizes {
 public:
  explicit Sizes(unsigned seed) : engine_(seed) {}
  std::int64_t operator()(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(engine_() % static_cast<unsigned>(high - low + 1));
  }
  Value integers(std::int64_t count, std::int64_t end) {
    std::vector<double> data;
    for (std::int64_t i = 0; i < count; ++i) data.push_back(static_cast<double>((*this)(0, end - 1)));
    return integer_tensor(std::move(data));
  }

 private:
  std::mt19937 engine_;
};

std::vector<double> rows_by_number(const Value& table, const Value& ids) {
  const std::int64_t width = table.type.shape[1].factor();
  std::vector<double> out;
  for (const double id : ids.data) {
    const auto row = table.data.begin() + static_cast<std::int64_t>(id) * width;
    out.insert(out.end(), row, row + width);
  }
  return out;
}

std::vector<double> joined(const Value& a, const Value& b, std::int64_t axis) {
  std::int64_t outer = 1;
  for (std::int64_t i = 0; i < axis; ++i) outer *= a.type.shape[i].factor();
  std::vector<double> out;
  for (std::int64_t i = 0; i < outer; ++i) {
    for (const Value* operand : {&a, &b}) {
      const auto run = static_cast<std::int64_t>(operand->data.size()) / outer;
      out.insert(out.end(), operand->data.begin() + i * run, operand->data.begin() + (i + 1) * run);
    }
  }
  return out;
}

std::vector<double> appended(const Value& cache, const Value& x, const Value& positions) {
  const std::int64_t heads = cache.type.shape[0].factor(), context = cache.type.shape[1].factor();
  const std::int64_t dim = cache.type.shape[2].factor();
  std::vector<double> out = cache.data;
  auto row = x.data.begin();
  for (const double position : positions.data) {
    for (std::int64_t h = 0; h < heads; ++h, row += dim) {
      std::copy_n(row, dim, out.begin() + (h * context + static_cast<std::int64_t>(position)) * dim);
    }
  }
  return out;
}

struct AttentionVariant {
  double scale = 1;
  double softcap = 0;       // 0: none
  std::int64_t window = 0;  // 0: all
};

// In the order in which the definition is written down.
std::vector<double> attended(const Value& q, const Value& k, const Value& v, const Value& positions,
                             const AttentionVariant& variant) {
  const std::int64_t heads = q.type.shape[1].factor(), dim = q.type.shape[2].factor();
  const std::int64_t context = k.type.shape[1].factor(), group = heads / k.type.shape[0].factor();
  std::vector<double> out(q.data.size());
  for (std::size_t s = 0; s < positions.data.size(); ++s) {
    const auto end = static_cast<std::int64_t>(positions.data[s]) + 1;
    const std::int64_t begin = variant.window == 0 ? 0 : std::max<std::int64_t>(0, end - variant.window);
    for (std::int64_t h = 0; h < heads; ++h) {
      const double* query = q.data.data() + (static_cast<std::int64_t>(s) * heads + h) * dim;
      std::vector<double> weights;
      for (std::int64_t t = begin; t < end; ++t) {
        double score = 0;
        for (std::int64_t i = 0; i < dim; ++i) score += query[i] * k.data[(h / group * context + t) * dim + i];
        score *= variant.scale;
        if (variant.softcap > 0) score = variant.softcap * std::tanh(score / variant.softcap);
        weights.push_back(score);
      }
      const double largest = *std::ranges::max_element(weights);
      double sum = 0;
      for (double& weight : weights) sum += weight = std::exp(weight - largest);
      for (std::int64_t i = 0; i < dim; ++i) {
        double& y = out[(static_cast<std::int64_t>(s) * heads + h) * dim + i];
        for (std::int64_t t = begin; t < end; ++t) {
          y += weights[t - begin] / sum * v.data[(h / group * context + t) * dim + i];
        }
      }
    }
  }
  return out;
}

TEST(Differential, Gather) {
  for (unsigned seed = 0; seed < 30; ++seed) {
    Sizes size(seed);
    const std::int64_t rows = size(1, 9);
    const Value table = random_tensor({rows, size(1, 300)}, seed);
    const Value ids = size.integers(size(1, 12), rows);
    EXPECT_EQ(run_op("gather", {table, ids}).data, rows_by_number(table, ids)) << seed;
  }
}

TEST(Differential, Concat) {
  for (unsigned seed = 0; seed < 30; ++seed) {
    Sizes size(seed);
    ir::Shape a, b;
    const std::int64_t rank = size(1, 4), axis = size(0, rank - 1);
    for (std::int64_t i = 0; i < rank; ++i) {
      a.emplace_back(size(1, 5));
      b.push_back(i == axis ? ir::Dim(size(1, 5)) : a.back());
    }
    const Value x = random_tensor(a, seed), y = random_tensor(b, seed + 100);
    EXPECT_EQ(run_op("concat", {x, y}, {{"axis", axis}}).data, joined(x, y, axis)) << seed;
  }
}

TEST(Differential, CacheAppend) {
  for (unsigned seed = 0; seed < 30; ++seed) {
    Sizes size(seed);
    const std::int64_t heads = size(1, 3), context = size(1, 9), dim = size(1, 5), seq = size(1, 6);
    const Value cache = random_tensor({heads, context, dim}, seed);
    const Value x = random_tensor({seq, heads, dim}, seed + 100);
    const Value positions = size.integers(seq, context);
    EXPECT_EQ(run_op("cache_append", {cache, x, positions}).data, appended(cache, x, positions)) << seed;
  }
}

struct AttentionOperands {
  Value q, k, v, positions;
};

// Of several heads of queries for one of keys and values.
AttentionOperands attention_operands(Sizes& size, std::int64_t most_context, unsigned seed) {
  const std::int64_t kv_heads = size(1, 3), heads = kv_heads * size(1, 4), context = size(1, most_context);
  const std::int64_t dim = size(1, 8), seq = size(1, 4);
  return {random_tensor({seq, heads, dim}, seed, -2, 2), random_tensor({kv_heads, context, dim}, seed + 100, -2, 2),
          random_tensor({kv_heads, context, dim}, seed + 200), size.integers(seq, context)};
}

void check_attention(const std::string& name, bool is_windowed, bool is_capped) {
  for (unsigned seed = 0; seed < 30; ++seed) {
    Sizes size(seed);
    const auto [q, k, v, positions] = attention_operands(size, 300, seed);
    const AttentionVariant variant{0.7, is_capped ? 0.9 : 0, is_windowed ? size(1, 40) : 0};
    ir::Attributes attributes = {{"scale", variant.scale}};
    if (is_windowed) attributes["window"] = variant.window;
    if (is_capped) attributes["softcap"] = variant.softcap;
    expect_close(run_op(name, {q, k, v, positions}, attributes).data, attended(q, k, v, positions, variant));
    if (testing::Test::HasFatalFailure()) FAIL() << name << " seed " << seed;
  }
}

TEST(Differential, Attention) { check_attention("attention", false, false); }
TEST(Differential, WindowedAttention) { check_attention("windowed_attention", true, false); }
TEST(Differential, CappedAttention) { check_attention("capped_attention", false, true); }
TEST(Differential, WindowedCappedAttention) { check_attention("windowed_capped_attention", true, true); }

// The rows of a cache that these pages are, one behind the other.
Value rows_of_pages(const Value& cache, std::span<const double> pages) {
  constexpr std::int64_t kPage = 256;
  const std::int64_t heads = cache.type.shape[0].factor(), rows = cache.type.shape[1].factor();
  const std::int64_t dim = cache.type.shape[2].factor(), count = static_cast<std::int64_t>(pages.size()) * kPage;
  Value gathered = random_tensor({heads, count, dim}, 0);
  for (std::int64_t h = 0; h < heads; ++h) {
    for (std::int64_t t = 0; t < count; ++t) {
      const std::int64_t row =
          static_cast<std::int64_t>(pages[static_cast<std::size_t>(t / kPage)]) * kPage + t % kPage;
      for (std::int64_t i = 0; i < dim; ++i) {
        gathered.data[static_cast<std::size_t>((h * count + t) * dim + i)] =
            cache.data[static_cast<std::size_t>((h * rows + row) * dim + i)];
      }
    }
  }
  return gathered;
}

// Row s of a value, by itself.
Value row_of(const Value& value, std::int64_t s) {
  ir::Shape shape = value.type.shape;
  const auto size = static_cast<std::ptrdiff_t>(value.data.size()) / shape[0].factor();
  shape[0] = 1;
  Value row{value.type, {}};
  row.type.shape = shape;
  row.data.assign(value.data.begin() + s * size, value.data.begin() + (s + 1) * size);
  return row;
}

// Each query by itself over the rows of its pages, which are those of all, or its own.
void check_paged_attention(const std::string& name, bool is_windowed, bool is_own) {
  for (unsigned seed = 0; seed < 6; ++seed) {
    Sizes size(seed);
    const std::int64_t kv_heads = size(1, 2), heads = kv_heads * size(1, 3), dim = size(1, 5), seq = size(1, 4);
    const std::int64_t pool = size(2, 4), pages = size(1, 2);
    const Value q = random_tensor({seq, heads, dim}, seed, -2, 2);
    const Value k = random_tensor({kv_heads, pool * 256, dim}, seed + 100, -2, 2);
    const Value v = random_tensor({kv_heads, pool * 256, dim}, seed + 200);
    const Value positions = size.integers(seq, pages * 256);
    std::vector<double> numbers;
    for (std::int64_t i = 0; i < (is_own ? seq : 1) * pages; ++i) {
      numbers.push_back(static_cast<double>(size(0, pool - 1)));
    }
    Value table = integer_tensor(numbers);
    if (is_own) table.type.shape = {seq, pages};
    const AttentionVariant variant{0.7, 0, is_windowed ? size(1, 300) : 0};
    ir::Attributes attributes = {{"scale", variant.scale}};
    if (is_windowed) attributes["window"] = variant.window;
    const Value y = run_op(name, {q, k, v, positions, table}, attributes);
    for (std::int64_t s = 0; s < seq; ++s) {
      const std::span own(numbers.data() + (is_own ? s * pages : 0), static_cast<std::size_t>(pages));
      expect_close(row_of(y, s).data,
                   attended(row_of(q, s), rows_of_pages(k, own), rows_of_pages(v, own), row_of(positions, s), variant));
      if (testing::Test::HasFatalFailure()) FAIL() << name << " seed " << seed;
    }
  }
}

TEST(Differential, PagedAttention) { check_paged_attention("paged_attention", false, false); }
TEST(Differential, WindowedPagedAttention) { check_paged_attention("windowed_paged_attention", true, false); }
TEST(Differential, EachPagedAttention) { check_paged_attention("each_paged_attention", false, true); }
TEST(Differential, WindowedEachPagedAttention) { check_paged_attention("windowed_each_paged_attention", true, true); }

// What a kernel never reads is not read here either.
TEST(Differential, AttentionReadsNothingOutsideOfItsBounds) {
  const double nan = std::nan("");
  const Value q = random_tensor({1, 2, 4}, 1);
  Value k = random_tensor({1, 8, 4}, 2), v = random_tensor({1, 8, 4}, 3);
  for (const std::int64_t t : {0, 1, 2, 6, 7}) {
    for (std::int64_t i = 0; i < 4; ++i) k.data[t * 4 + i] = v.data[t * 4 + i] = nan;
  }
  const ir::Attributes attributes = {{"scale", 1.0}, {"window", 3L}};
  for (const double y : run_op("windowed_attention", {q, k, v, integer_tensor({5})}, attributes).data) {
    EXPECT_FALSE(std::isnan(y));
  }
}

// Attention op by op.
void check_attention_in_parts(bool is_windowed) {
  for (unsigned seed = 0; seed < 30; ++seed) {
    Sizes size(seed);
    const auto [q, k, v, positions] = attention_operands(size, 40, seed);
    const AttentionVariant variant{1, 0, is_windowed ? size(1, 40) : 0};
    const ir::Attributes swapped = {{"perm", std::vector<std::int64_t>{1, 0, 2}}};
    const Value scores = run_op("grouped_matmul_nt", {run_op("transpose", {q}, swapped), k});
    const Value masked = is_windowed ? run_op("window_mask", {scores, positions}, {{"window", variant.window}})
                                     : run_op("causal_mask", {scores, positions});
    const Value sums = run_op("grouped_matmul", {run_op("softmax", {masked}), v});
    expect_close(run_op("transpose", {sums}, swapped).data, attended(q, k, v, positions, variant));
    if (testing::Test::HasFatalFailure()) FAIL() << "seed " << seed;
  }
}

TEST(Differential, AttentionInParts) { check_attention_in_parts(false); }
TEST(Differential, WindowedAttentionInParts) { check_attention_in_parts(true); }

}  // namespace
}  // namespace strata::ops
