// SPDX-License-Identifier: Apache-2.0
#include "tensor/attention.h"

#include <limits>

#include "reference.h"
#include "tensor/units.h"

namespace strata::tensor {
namespace {

// As a tile tree says it: rows of a tile of queries, keys of a block, register tiles.
struct Blocking {
  std::int64_t rows, keys;
  CacheTile scores, values;
};
constexpr Blocking kMany{32, 64, {8, {2, 0, 0}}, {8, {2, 0, 0}}};
// One sequential stream, as decoding reads the caches.
constexpr Blocking kOneStream{2, 128, {2, {1, 0, 0}}, {2, {4, 0, 0}}};
constexpr Blocking kFetchedAhead{4, 48, {4, {2, 4096, 0}}, {4, {3, 4096, 3}}};

struct Case {
  std::int64_t seq, heads, kv_heads, dim, start;  // positions start, start + 1, ...
};

const Case kCases[] = {
    {1, 2, 1, 16, 0},     // the first token
    {1, 16, 8, 128, 99},  // decode, the usual group of two
    {1, 7, 1, 64, 200},   // an odd group: row tiles of 4, 2, 1
    {1, 3, 3, 80, 63},    // one head per group, last key of a block
    {1, 3, 3, 96, 64},    // first key of a block
    {5, 4, 2, 32, 0},     // a small prefill
    {40, 4, 2, 16, 0},    // more than one tile of queries
    {37, 8, 1, 24, 75},   // a chunk after a prefix; dim is no multiple of 16
    {3, 2, 2, 7, 10},     // dim below every lane count but one
    {70, 2, 2, 20, 130},  // tiles from both ends, several key blocks
    {2, 40, 1, 16, 5},    // a group larger than a tile
};

template <class TC>
struct Fixture {
  Case c;
  std::int64_t capacity;
  std::vector<float> q, k, v;
  std::vector<TC> k_cache, v_cache;
  std::vector<std::int32_t> positions;
  float scale;
  std::int64_t window = 1 << 20;  // keys that a query sees
  float softcap = 0.0f;           // 0: none

  // The whole history is appended in two calls; the rest of the cache holds NaN, which must not matter.
  template <int L, BLayout Keys = BLayout::kLanes, BLayout Values = BLayout::kLanes>
  static Fixture make(const Case& c) {
    Fixture f{c,  div_up(c.start + c.seq + 3, L) * L,         {}, {}, {}, {}, {},
              {}, 1.0f / std::sqrt(static_cast<float>(c.dim))};
    const std::int64_t context = c.start + c.seq, width = c.kv_heads * c.dim;
    f.q = random_values<float>(c.seq * c.heads * c.dim, 11);
    for (float& x : f.q) x *= 8.0f;  // scores spread enough that the softmax is not flat
    f.k = random_values<float>(context * width, 12);
    f.v = random_values<float>(context * width, 13);
    const TC nan(std::numeric_limits<float>::quiet_NaN());
    f.k_cache.assign(c.kv_heads * f.capacity * c.dim, nan);
    f.v_cache = f.k_cache;
    std::vector<std::int32_t> all(context);
    for (std::int64_t i = 0; i < context; ++i) all[i] = static_cast<std::int32_t>(i);
    const auto append = [&](std::int64_t from, std::int64_t count) {
      for (std::int64_t head = 0; head < c.kv_heads; ++head) {
        cache_append_k<L, Keys>(f.k.data() + from * width, width, all.data() + from, count, c.dim, f.capacity,
                                f.k_cache.data(), head, head + 1);
      }
      cache_append_v<L, Values>(f.v.data() + from * width, width, all.data() + from, count, c.dim, f.capacity,
                                f.v_cache.data(), 0, c.kv_heads);
    };
    append(0, c.start);
    append(c.start, c.seq);
    f.positions.assign(all.begin() + c.start, all.end());
    return f;
  }

  auto seen() const {
    return [from = positions.data(), this](std::int64_t s) { return Range{from[s] + 1 - window, from[s] + 1}; };
  }

  // Exact softmax in double over the values as the cache holds them. What meets pairs is rounded to bf16: queries
  // before the product, and weights, which the bound allows for.
  void check(const std::vector<float>& out, const std::string& what, bool key_pairs = false,
             bool value_pairs = false) const {
    constexpr double kHalfUnitOfBf16 = 0x1p-8 / (2 * kUnit);
    const std::int64_t width = c.kv_heads * c.dim, group = c.heads / c.kv_heads;
    for (std::int64_t s = 0; s < c.seq; ++s) {
      for (std::int64_t h = 0; h < c.heads; ++h) {
        const float* query = q.data() + (s * c.heads + h) * c.dim;
        const std::int64_t column = h / group * c.dim;
        std::vector<double> weight(positions[s] + 1);
        const auto first = static_cast<std::size_t>(std::max<std::int64_t>(0, positions[s] + 1 - window));
        double largest = -INFINITY, sum = 0, spread = 0;
        for (std::size_t t = first; t < weight.size(); ++t) {
          Dot score;
          for (std::int64_t d = 0; d < c.dim; ++d) {
            const float scaled = query[d] * scale;
            score.add(key_pairs ? static_cast<float>(bf16(scaled)) : scaled,
                      static_cast<float>(TC(k[t * width + column + d])));
          }
          weight[t] = softcap == 0.0f ? score.value : softcap * std::tanh(score.value / softcap);
          largest = std::max(largest, weight[t]);
          spread = std::max(spread, score.magnitude);
        }
        for (std::size_t t = 0; t < weight.size(); ++t) {
          weight[t] = t < first ? 0 : std::exp(weight[t] - largest);
          sum += weight[t];
        }
        for (std::int64_t d = 0; d < c.dim; ++d) {
          double expected = 0, magnitude = 0;
          for (std::size_t t = 0; t < weight.size(); ++t) {
            const double term =
                weight[t] / sum * static_cast<double>(static_cast<float>(TC(v[t * width + column + d])));
            expected += term;
            magnitude += std::abs(term);
          }
          // Every score is off by at most dim * u * spread, which scales its weight; then the sums over the context.
          const double terms = 2.0 * static_cast<double>(c.dim) * spread + static_cast<double>(weight.size()) + 20 +
                               (value_pairs ? kHalfUnitOfBf16 : 0);
          const float actual = out[(s * c.heads + h) * c.dim + d];
          ASSERT_LE(std::abs(expected - static_cast<double>(actual)), terms * kUnit * magnitude * 2)
              << what << " token " << s << " head " << h << " dim " << d << ": expected " << expected << ", actual "
              << actual;
        }
      }
    }
  }

  std::string describe(int lanes) const {
    return std::string(type_name<TC>()) + " lanes " + std::to_string(lanes) + " seq " + std::to_string(c.seq) +
           " heads " + std::to_string(c.heads) + "/" + std::to_string(c.kv_heads) + " dim " + std::to_string(c.dim) +
           " start " + std::to_string(c.start);
  }
};

// The leaves in the loops that a tile tree puts around them; memory that is read before it is written holds NaN.
template <int L, Blocking How, BLayout Keys, BLayout Values, class TC, class Score>
void attend(const Fixture<TC>& f, const float* q, std::int64_t ldq, const Score& score, std::vector<float>& out) {
  const Case& c = f.c;
  const std::int64_t group = c.heads / c.kv_heads, tokens = std::max<std::int64_t>(How.rows / group, 1);
  const auto nan = [](std::int64_t count) {
    return std::vector<float>(count, std::numeric_limits<float>::quiet_NaN());
  };
  std::vector<float> queries = nan(tokens * group * c.dim), scores = nan(tokens * group * How.keys);
  std::vector<float> running = nan(running_floats(tokens * group, c.dim));
  using TQ = typename Multiplier<Keys>::type;
  auto* const packed = reinterpret_cast<TQ*>(queries.data());
  for (std::int64_t head = 0; head < c.heads; head += group) {
    for (std::int64_t token = 0; token < c.seq; token += tokens) {
      const QueryTile tile{{token, std::min(token + tokens, c.seq)}, {head, head + group}};
      const std::int64_t cache = head / group * f.capacity * c.dim;
      start_attention<L, Keys>(q, ldq, c.dim, tile, f.scale, packed, running.data());
      const Range all = seen_by(tile.tokens, L, f.seen());
      for (const Range keys : Parts(all, How.keys, L)) {
        score_block<L, How.scores, Keys, How.keys>(packed, tile.rows(), f.k_cache.data() + cache, c.dim, keys, all.end,
                                                   scores.data());
        softmax_block<L, Values, How.keys>(tile, keys, f.seen(), score, scores.data(), running.data());
        value_block<L, How.values, Values, How.keys>(scores.data(), tile.rows(), f.v_cache.data() + cache, c.dim, keys,
                                                     all.end, running.data());
      }
      finish_attention<L>(tile, c.heads, c.dim, running.data(), out.data());
    }
  }
}

template <int L, class TC, BLayout Keys = BLayout::kLanes, BLayout Values = BLayout::kLanes, Blocking How = kMany>
void check_attention(std::int64_t window = 1 << 20, float softcap = 0.0f) {
  constexpr bool kKeyPairs = Keys == BLayout::kPairs, kValuePairs = Values == BLayout::kPairs;
  for (const Case& c : kCases) {
    if ((kKeyPairs && c.dim % 2 != 0) || (kValuePairs && c.dim % L != 0)) continue;  // no such layout
    auto f = Fixture<TC>::template make<L, Keys, Values>(c);
    f.window = window;
    f.softcap = softcap;
    const auto score = [softcap](auto x) { return softcap * tanh(x * (1.0f / softcap)); };
    std::vector<float> out(c.seq * c.heads * c.dim, -77.0f);
    const std::int64_t width = c.heads * c.dim, ldq = width + 3;
    std::vector<float> q(c.seq * ldq, std::numeric_limits<float>::quiet_NaN());
    for (std::int64_t s = 0; s < c.seq; ++s) std::copy_n(f.q.data() + s * width, width, q.data() + s * ldq);
    if (softcap == 0.0f) {
      attend<L, How, Keys, Values>(f, q.data(), ldq, Unchanged{}, out);
    } else {
      attend<L, How, Keys, Values>(f, q.data(), ldq, score, out);
    }
    const std::string pairs = std::string(kKeyPairs ? " key pairs" : "") + (kValuePairs ? " value pairs" : "");
    f.check(out, f.describe(L) + pairs, kKeyPairs, kValuePairs);
    if (testing::Test::HasFatalFailure()) return;
  }
}

template <class TC>
void check_widths() {
  for_each_width([]<int L>(Lanes<L>) { check_attention<L, TC>(); });
}

TEST(Attention, F32Cache) { check_widths<float>(); }
TEST(Attention, F16Cache) { check_widths<f16>(); }
TEST(Attention, Bf16Cache) { check_widths<bf16>(); }

template <BLayout Keys, BLayout Values>
void check_pairs() {
  for_each_width([]<int L>(Lanes<L>) { check_attention<L, bf16, Keys, Values>(); });
}
TEST(Attention, PairsOfKeys) { check_pairs<BLayout::kPairs, BLayout::kLanes>(); }
TEST(Attention, PairsOfValues) { check_pairs<BLayout::kLanes, BLayout::kPairs>(); }
TEST(Attention, PairsOfBoth) { check_pairs<BLayout::kPairs, BLayout::kPairs>(); }

// What is left out of the bounds may be at either end of a block, and all of one.
TEST(Attention, WindowsLeaveOutWhatIsBefore) {
  for (const std::int64_t window : {1, 2, 63, 64, 65, 100}) {
    for_each_width([&]<int L>(Lanes<L>) { check_attention<L, float>(window); });
    check_attention<kMostLanes, bf16, BLayout::kPairs, BLayout::kPairs>(window);
  }
}

TEST(Attention, ScoresAreMapped) {
  for_each_width([]<int L>(Lanes<L>) { check_attention<L, float>(1 << 20, 2.5f); });
  check_attention<kMostLanes, bf16, BLayout::kPairs, BLayout::kPairs>(70, 1.5f);
}

TEST(Attention, AnyBlocks) {
  constexpr auto kLanes = BLayout::kLanes, kPairs = BLayout::kPairs;
  check_attention<kMostLanes, f16, kLanes, kLanes, kOneStream>();
  check_attention<kMostLanes, bf16, kPairs, kPairs, kOneStream>(70);
  check_attention<8, float, kLanes, kLanes, kFetchedAhead>();
  check_attention<8, bf16, kPairs, kPairs, kFetchedAhead>(70, 1.5f);
}

// The next block, once; where there is none, or another tile has fetched it, what is there already.
TEST(Attention, FetchesTheNextBlock) {
  const char block[65] = {};
  constexpr Stream kAhead{2, 64, 3};
  EXPECT_EQ(NextBlock<kAhead>(block, true, false).data, block + 64);
  EXPECT_EQ(NextBlock<kAhead>(block, true, true).data, block);
  EXPECT_EQ(NextBlock<kAhead>(block, false, false).data, block);
}

// Every unit once, and a share of neighbours is as much as any other.
TEST(Units, ComeFromBothEnds) {
  for (const std::int64_t n : {1, 2, 5, 8}) {
    std::vector<int> met(n);
    for (std::int64_t i = 0; i < n; ++i) ++met[from_both_ends(i, n)];
    EXPECT_EQ(met, std::vector<int>(n, 1)) << n;
  }
  EXPECT_EQ(from_both_ends(1, 5), 4);
  EXPECT_EQ(part_of(2, 16, 40).begin, 32);
  EXPECT_EQ(part_of(2, 16, 40).end, 40);
}

// Vectors and single lanes round alike, to nearest even; what is subnormal may be 0.
TEST(Attention, MultipliersAreRounded) {
  std::vector<float> values = random_values<float>(16 * 64, 5);
  values[0] = std::numeric_limits<float>::quiet_NaN();
  values[1] = std::numeric_limits<float>::infinity();
  values[2] = 0x1.01p0f;  // a tie
  values[3] = 0x1.03p0f;
  values[4] = 0x1p-130f;
  values[5] = -0.0f;
  for (std::size_t i = 0; i < values.size(); i += 16) {
    bf16 rounded[16];
    store_multiplier(Lanes<16>{}, rounded, load(Lanes<16>{}, values.data() + i));
    for (std::size_t j = 0; j < 16; ++j) {
      const float x = values[i + j], got = static_cast<float>(rounded[j]), exact = static_cast<float>(bf16(x));
      if (std::isnan(x)) {
        EXPECT_TRUE(std::isnan(got));
      } else if (std::abs(x) < 0x1p-126f && x != 0) {
        EXPECT_LE(std::abs(got), 0x1p-126f);
      } else {
        EXPECT_EQ(got, exact) << x;
      }
    }
  }
}

// A block that a row sees nothing of, before its first one and after its last one.
TEST(Attention, RowsThatSeeNothingOfABlockStayAsTheyAre) {
  constexpr std::int64_t kKeys = 16;
  std::vector<float> scores(2 * kKeys, 1.0f), running(running_floats(2, 0));
  RunningSoftmax state(running.data(), 2);
  state.maximum[0] = state.maximum[1] = Max::identity;
  const QueryTile tile{{0, 2}, {0, 1}};
  const auto seen = [](std::int64_t s) { return s == 0 ? Range{0, 16} : Range{20, 24}; };
  softmax_block<16, BLayout::kLanes, kKeys>(tile, {0, 16}, seen, Unchanged{}, scores.data(), running.data());
  EXPECT_EQ(state.sum[0], 16.0f);
  EXPECT_EQ(state.sum[1], 0.0f);
  EXPECT_EQ(state.shrink[1], 1.0f);
  for (std::int64_t key = 0; key < kKeys; ++key) EXPECT_EQ(scores[kKeys + key], 0.0f) << key;
  std::fill(scores.begin(), scores.end(), 2.0f);
  softmax_block<16, BLayout::kLanes, kKeys>(tile, {16, 32}, seen, Unchanged{}, scores.data(), running.data());
  EXPECT_EQ(state.sum[0], 16.0f);
  EXPECT_EQ(state.shrink[0], 1.0f);
  EXPECT_EQ(state.sum[1], 4.0f);
  for (std::int64_t key = 0; key < kKeys; ++key) EXPECT_EQ(scores[kKeys + key], key >= 4 && key < 8 ? 1.0f : 0.0f);
}

TEST(Attention, LargeScoresDoNotOverflow) {
  constexpr std::int64_t kDim = 16;
  std::vector<float> q(kDim, 100.0f), k(2 * kDim, 100.0f), v(2 * kDim, 1.0f);
  for (int d = 0; d < kDim; ++d) v[kDim + d] = 3.0f;  // equal scores of 160,000: the mean of 1 and 3
  std::vector<float> k_cache(16 * kDim), v_cache(16 * kDim), out(kDim);
  const std::int32_t positions[] = {0, 1};
  cache_append_k<16>(k.data(), kDim, positions, 2, kDim, 16, k_cache.data(), 0, 1);
  cache_append_v<16>(v.data(), kDim, positions, 2, kDim, 16, v_cache.data(), 0, 1);
  const QueryTile tile{{0, 1}, {0, 1}};
  const auto seen = [](std::int64_t) { return Range{0, 2}; };
  std::vector<float> queries(kDim), scores(16), running(running_floats(1, kDim));
  start_attention<16, BLayout::kLanes>(q.data(), kDim, kDim, tile, 1.0f, queries.data(), running.data());
  score_block<16, CacheTile{}, BLayout::kLanes, 16>(queries.data(), 1, k_cache.data(), kDim, {0, 2}, 2, scores.data());
  softmax_block<16, BLayout::kLanes, 16>(tile, {0, 2}, seen, Unchanged{}, scores.data(), running.data());
  value_block<16, CacheTile{}, BLayout::kLanes, 16>(scores.data(), 1, v_cache.data(), kDim, {0, 2}, 2, running.data());
  finish_attention<16>(tile, 1, kDim, running.data(), out.data());
  for (int d = 0; d < kDim; ++d) EXPECT_EQ(out[d], 2.0f) << "dim " << d;
}

}  // namespace
}  // namespace strata::tensor
