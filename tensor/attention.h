// SPDX-License-Identifier: Apache-2.0
// Attention over the key/value cache with online softmax (Milakov and Gimelshein, arXiv 1805.02867; tiled as in
// FlashAttention, arXiv 2205.14135): no matrix of scores of the size of the context exists. Query heads that share a
// key/value head are rows of the same tile (grouped-query attention), so keys and values are loaded once for all.
//
//   k_cache: [kv_heads][ctx_capacity / L][dim][L]         keys in lanes: the B<L@n> of a matmul with n = key, k = dim
//            [kv_heads][ctx_capacity / L][dim / 2][L][2]  the same in pairs, bf16, for a dot-product unit
//   v_cache: [kv_heads][ctx_capacity][dim]
//            [kv_heads][ctx_capacity / 2][dim][2]         pairs of keys, bf16; dim is a multiple of L
//   q:       [seq][heads][dim] f32, ldq from token to token,  out: [seq][heads * dim] f32
//
// Query s sees the keys seen(s) from 0 on, a range that is not empty and ends below ctx_capacity, a multiple of L.
// Cache entries that no query sees are never used, whatever they hold. A score is `score` of scale x query x key. What
// meets pairs is rounded to bf16: queries, or the exponentials of the scores; sums are f32.
#pragma once

#include <type_traits>

#include "tensor/matmul.h"

namespace strata::tensor {

// Rows of queries that are worked on together, so that keys and values come from memory once for all: `tokens` of
// `heads`, which share a key/value head. Row r is token r / heads.size(), head r % heads.size() of them.
struct QueryTile {
  Range tokens, heads;

  constexpr std::int64_t rows() const { return tokens.size() * heads.size(); }
  constexpr std::int64_t token(std::int64_t row) const { return tokens.begin + row / heads.size(); }
  constexpr std::int64_t head(std::int64_t row) const { return heads.begin + row % heads.size(); }
};

// Register tiles of a product with a cache: at most `rows` of the queries, a power of two, and `how.panels` vectors of
// the cache side by side. What lies `how.ahead` bytes behind the block at work is fetched in the order of memory,
// whatever the order in which the block is read, and only once.
struct CacheTile {
  int rows = 1;
  Stream how = {};
};

// What a register tile's product with a cache fetches while it reads: what lies `ahead` bytes behind `from`, or, of
// what nothing follows (`is_last`) or another tile has fetched (not `is_first`), what is there already.
template <Stream How, bool Fetches = (How.ahead > 0)>
struct NextBlock {
  const char* data;

  STRATA_INLINE NextBlock(const void* from, bool is_first, bool is_last)
      : data(static_cast<const char*>(from) + (is_first && !is_last ? How.ahead : 0)) {}

  // The lines of the step's share, of so many bytes.
  template <int Bytes>
  STRATA_INLINE void fetch(std::int64_t step) const {
    STRATA_UNROLL
    for (int line = 0; line < Bytes; line += 64) __builtin_prefetch(data + step * Bytes + line, 0, How.locality);
  }
};
template <Stream How>
struct NextBlock<How, false> {
  STRATA_INLINE NextBlock(const void*, bool, bool) {}
  template <int Bytes>
  STRATA_INLINE void fetch(std::int64_t) const {}
};

// A score as it is.
struct Unchanged {
  template <class V>
  STRATA_INLINE V operator()(V x) const {
    return x;
  }
};

// The running softmax of a tile's rows: largest score, sum of exponentials, the factor by which what was summed before
// shrinks, weighted sum of values. Sums are f32.
struct RunningSoftmax {
  float* maximum;  // [rows]
  float* sum;      // [rows]
  float* shrink;   // [rows]
  float* acc;      // [rows][dim]

  RunningSoftmax(float* memory, std::int64_t rows)
      : maximum(memory), sum(memory + rows), shrink(memory + 2 * rows), acc(memory + 3 * rows) {}
};
constexpr std::int64_t running_floats(std::int64_t rows, std::int64_t dim) { return rows * (dim + 3); }

// How the left operand of a product with a cache of this layout is stored.
template <BLayout Layout>
struct Multiplier {
  using type = float;
};
template <>
struct Multiplier<BLayout::kPairs> {
  using type = bf16;
};

// Stores what multiplies a cache. Pairs are rounded as their unit reads them: without subnormal numbers.
template <class L>
STRATA_INLINE void store_multiplier(L lanes, float* p, Vec<float, L::count> v) {
  store(lanes, p, v);
}
template <int N>
STRATA_INLINE void store_multiplier(Lanes<N> lanes, bf16* p, Vec<float, N> v) {
  if constexpr (arch::kHasBf16Rounding<N>) {
    const auto rounded = arch::f32_to_bf16<N>(v);
    __builtin_memcpy(p, &rounded, sizeof(rounded));
  } else {
    store(lanes, p, v);
  }
}
template <int N>
STRATA_INLINE void store_multiplier(FirstLanes<N> lanes, bf16* p, Vec<float, N> v) {
  store(lanes, p, v);
}

// The keys that any of these queries sees, from a multiple of `unit` on.
template <class Seen>
STRATA_INLINE Range seen_by(Range tokens, std::int64_t unit, const Seen& seen) {
  if (tokens.size() <= 0) return {0, 0};
  Range keys = seen(tokens.begin);
  for (std::int64_t s = tokens.begin + 1; s < tokens.end; ++s) {
    const Range more = seen(s);
    keys = {more.begin < keys.begin ? more.begin : keys.begin, more.end > keys.end ? more.end : keys.end};
  }
  return {keys.begin < 0 ? 0 : keys.begin / unit * unit, keys.end};
}

// Calls f(Lanes<H>, row) with height H, then H / 2, ..., 1 until all rows are covered.
template <int H, class F>
STRATA_INLINE void for_each_row_tile(std::int64_t row, std::int64_t rows, F&& f) {
  for (; row + H <= rows; row += H) f(Lanes<H>{}, row);
  if constexpr (H > 1) for_each_row_tile<H / 2>(row, rows, f);
}

// Calls f(first, chunk, count) with x as T, piece by piece: vectors convert, whatever order the pieces are stored in.
// `first` is even.
template <int L, class T, class F>
STRATA_INLINE void convert_in_chunks(const float* x, std::int64_t count, F&& f) {
  constexpr std::int64_t kChunk = 64;
  alignas(64) T chunk[kChunk];
  for (std::int64_t first = 0; first < count; first += kChunk) {
    const std::int64_t size = count - first < kChunk ? count - first : kChunk;
    for_each_lane_group<L>(
        size, [&]<int N>(Lanes<N> lanes, std::int64_t i) { store<N>(lanes, chunk + i, load(lanes, x + first + i)); });
    f(first, chunk, size);
  }
}

// `words` words of each of H rows, from row to row `from_row` elements, one word being an element or a pair of bf16:
// word by word, the words of all rows side by side, `to_word` elements from one word to the next.
template <int L, int H, class T>
STRATA_INLINE void transpose_rows(const T* from, std::int64_t from_row, std::int64_t words, T* to,
                                  std::int64_t to_word) {
  constexpr int kPerWord = sizeof(float) / sizeof(T);
  for_each_lane_group<L>(words, [&]<int N>(Lanes<N>, std::int64_t i) {
    Words<N> tile[H];
    STRATA_UNROLL
    for (int r = 0; r < H; ++r) tile[r] = load_words<N>(from + r * from_row + i * kPerWord);
    interleave<N, H>(tile);
    alignas(64) T sides[N * H * kPerWord];
    __builtin_memcpy(sides, tile, sizeof(tile));
    STRATA_UNROLL
    for (int w = 0; w < N; ++w) {
      __builtin_memcpy(to + (i + w) * to_word, sides + w * H * kPerWord, H * kPerWord * sizeof(T));
    }
  });
}

// The queries of a tile times `scale` into `queries`, [dim][rows] or in pairs [dim / 2][rows][2]; the softmax of no
// keys.
template <int L, BLayout Keys, class TQ>
STRATA_NOINLINE void start_attention(const float* q, std::int64_t ldq, std::int64_t dim, QueryTile tile, float scale,
                                     TQ* queries, float* running) {
  constexpr std::int64_t kStep = kStepOf<Keys>, kChunk = 64;
  const std::int64_t rows = tile.rows();
  const RunningSoftmax state(running, rows);
  for_each_row_tile<8>(0, rows, [&]<int H>(Lanes<H>, std::int64_t row) {
    alignas(64) TQ chunk[H * kChunk];
    for (std::int64_t first = 0; first < dim; first += kChunk) {
      const std::int64_t count = dim - first < kChunk ? dim - first : kChunk;
      for (int r = 0; r < H; ++r) {
        const float* from = q + tile.token(row + r) * ldq + tile.head(row + r) * dim + first;
        for_each_lane_group<L>(count, [&]<int N>(Lanes<N> lanes, std::int64_t i) {
          store_multiplier(lanes, chunk + r * kChunk + i, static_cast<Vec<float, N>>(load(lanes, from + i) * scale));
        });
      }
      transpose_rows<L, H>(chunk, kChunk, count / kStep, queries + first * rows + row * kStep, rows * kStep);
    }
  });
  for (std::int64_t r = 0; r < rows; ++r) state.maximum[r] = Max::identity, state.sum[r] = 0.0f;
  for (std::int64_t i = 0; i < rows * dim; ++i) state.acc[i] = 0.0f;
}

// tile += A * B over `steps` values of k, or pairs of them. Each step fetches as many bytes of the next block as it
// reads. A tile of few accumulators is made of several, because one would wait for the latency of the
// multiply-adds.
template <BLayout Layout, Stream How, int Rows, int NV, int L, class TA, class TB>
STRATA_INLINE void multiply_cache(Tile<Rows, NV, L>& tile, TileA<TA> a, TileB<TB> b, std::int64_t steps,
                                  NextBlock<How> next) {
  constexpr int kChains = Rows * NV >= 4 ? 1 : 4 / (Rows * NV);
  constexpr int kStepBytes = NV * L * kStepOf<Layout> * static_cast<int>(sizeof(TB));
  const auto step = [&](Tile<Rows, NV, L>& to, std::int64_t i) {
    const TileA<TA> left{a.data + i * a.step, a.row, a.step};
    const TileB<TB> right{b.data + i * b.step, b.panel, b.step};
    next.template fetch<kStepBytes>(i);
    if constexpr (Layout == BLayout::kPairs) {
      multiply_pairs(to, left, right, 1);
    } else {
      multiply_lanes(to, left, right, 1);
    }
  };
  std::int64_t i = 0;
  if constexpr (kChains > 1) {
    Tile<Rows, NV, L> more[kChains - 1];
    STRATA_UNROLL
    for (int c = 1; c < kChains; ++c) more[c - 1].clear();
    for (; i + kChains <= steps; i += kChains) {
      step(tile, i);
      STRATA_UNROLL
      for (int c = 1; c < kChains; ++c) step(more[c - 1], i + c);
    }
    STRATA_UNROLL
    for (int c = 1; c < kChains; ++c) tile.add(more[c - 1]);
  }
  for (; i < steps; ++i) step(tile, i);
}

template <int Rows, int NV, Stream How, int L, BLayout Keys, std::int64_t Block, class TQ, class TC>
STRATA_NOINLINE void score_tile(const TQ* q, std::int64_t rows, const TC* k, std::int64_t dim, NextBlock<How> next,
                                float* scores) {
  constexpr std::int64_t kStep = kStepOf<Keys>;
  Tile<Rows, NV, L> tile;
  tile.clear();
  multiply_cache<Keys, How>(tile, TileA<TQ>{q, kStep, kStep * rows}, TileB<TC>{k, dim * L, kStep * L}, dim / kStep,
                            next);
  store_tile(tile, scores, Block, 0, Rows, 0, NV * L, Overwrite{});
}

// scores[r][0 ..] = q[r] . keys, for a range of at most Block keys that begins at a multiple of L, in whole vectors.
// k: the cache of the tile's key/value head, of which the keys up to `end` follow; scores: [rows][Block].
template <int L, CacheTile How, BLayout Keys, std::int64_t Block, class TQ, class TC>
STRATA_INLINE void score_block(const TQ* queries, std::int64_t rows, const TC* k, std::int64_t dim, Range keys,
                               std::int64_t end, float* scores) {
  const TC* first = k + keys.begin * dim;
  const std::int64_t panels = div_up(keys.size(), L);
  for_each_row_tile<How.rows>(0, rows, [&]<int H>(Lanes<H>, std::int64_t row) {
    constexpr int kVectors = How.how.panels;
    const TQ* q = queries + row * kStepOf<Keys>;
    float* out = scores + row * Block;
    const auto score = [&]<int NV>(Lanes<NV>, std::int64_t p) {
      const TC* from = first + p * dim * L;
      const NextBlock<How.how> next(from, row == 0, keys.end >= end);
      score_tile<H, NV, How.how, L, Keys, Block>(q, rows, from, dim, next, out + p * L);
    };
    std::int64_t p = 0;
    for (; p + kVectors <= panels; p += kVectors) score(Lanes<kVectors>{}, p);
    for (; kVectors > 1 && p < panels; ++p) score(Lanes<1>{}, p);
  });
}

// The weights of a block lie where its scores were: elements from row to row.
template <BLayout Values, std::int64_t Block>
inline constexpr std::int64_t kWeightsRow =
    Block * static_cast<std::int64_t>(sizeof(float) / sizeof(typename Multiplier<Values>::type));

// The online softmax over the scores of a block of keys, of which each query sees its own. Rows wait for one another
// nowhere: the largest scores of all, then the factors of all in lanes, then the weights.
template <int L, BLayout Values, std::int64_t Block, class Seen, class Score>
STRATA_NOINLINE void softmax_block(QueryTile tile, Range keys, const Seen& seen, const Score& score, float* scores,
                                   float* running) {
  using TP = typename Multiplier<Values>::type;
  const std::int64_t rows = tile.rows();
  const RunningSoftmax state(running, rows);
  const auto seen_here = [&](std::int64_t row) {
    const Range all = seen(tile.token(row));
    const std::int64_t begin = all.begin > keys.begin ? all.begin - keys.begin : 0;
    const std::int64_t end = all.end < keys.end ? all.end - keys.begin : keys.size();
    return begin < end ? Range{begin, end} : Range{0, 0};
  };
  float* const larger = state.shrink;
  for (std::int64_t r = 0; r < rows; ++r) {
    const Range here = seen_here(r);
    float* const from = scores + r * Block + here.begin;
    larger[r] = reduce_vectors<L>(here.size(), state.maximum[r], Max{}, [&](auto lanes, std::int64_t i) {
      const auto changed = score(load(lanes, from + i));
      if constexpr (!std::is_same_v<Score, Unchanged>) store(lanes, from + i, changed);
      return changed;
    });
  }
  for_each_vector<L>(rows, [&](auto lanes, std::int64_t r) {
    const auto before = load(lanes, state.maximum + r), now = load(lanes, larger + r);
    // Of a row that has seen nothing yet both are -infinity.
    const auto shrink = exp_of_negative(select(before == now, splat(lanes, 0.0f), before - now));
    store(lanes, state.maximum + r, now);
    store(lanes, state.sum + r, load(lanes, state.sum + r) * shrink);
    store(lanes, state.shrink + r, shrink);
  });
  for (std::int64_t r = 0; r < rows; ++r) {
    const Range here = seen_here(r);
    const float* const from = scores + r * Block + here.begin;
    TP* const weights = reinterpret_cast<TP*>(scores) + r * kWeightsRow<Values, Block>;
    TP* const to = weights + here.begin;
    const float maximum = state.maximum[r];
    state.sum[r] += reduce_vectors<L>(here.size(), 0.0f, Sum{}, [&](auto lanes, std::int64_t i) {
      const auto weight = exp_of_negative(load(lanes, from + i) - maximum);
      store_multiplier(lanes, to + i, weight);
      return weight;
    });
    for (std::int64_t i = 0; i < here.begin; ++i) weights[i] = TP(0.0f);
    for (std::int64_t i = here.end; i < keys.size(); ++i) weights[i] = TP(0.0f);
  }
}

// The value of the last key by itself, where the others came in pairs: what lies beside it is not of the context.
template <int Rows, int NV, int L>
STRATA_INLINE void add_last_value(Tile<Rows, NV, L>& tile, const bf16* p, std::int64_t p_row, const bf16* v) {
  float weights[Rows];
  Vec<float, L> lanes[NV];
  STRATA_UNROLL
  for (int r = 0; r < Rows; ++r) weights[r] = static_cast<float>(p[r * p_row]);
  STRATA_UNROLL
  for (int j = 0; j < NV; ++j) lanes[j] = even_of_pairs<L>(load_pairs<L>(v + j * 2 * L));
  tile.add_outer(weights, 1, lanes);
}

// p: [row][key], with p_row elements from row to row.
template <int Rows, int NV, Stream How, int L, BLayout Values, class TP, class TC>
STRATA_NOINLINE void value_tile(const TP* p, std::int64_t p_row, const float* shrink, const TC* v, std::int64_t keys,
                                std::int64_t dim, NextBlock<How> next, float* acc) {
  constexpr std::int64_t kStep = kStepOf<Values>;
  Tile<Rows, NV, L> tile;
  STRATA_UNROLL
  for (int r = 0; r < Rows; ++r) {
    STRATA_UNROLL
    for (int j = 0; j < NV; ++j) tile.acc[r][j] = load(Lanes<L>{}, acc + r * dim + j * L) * shrink[r];
  }
  multiply_cache<Values, How>(tile, TileA<TP>{p, p_row, kStep}, TileB<TC>{v, kStep * L, kStep * dim}, keys / kStep,
                              next);
  if constexpr (Values == BLayout::kPairs) {
    if (keys % 2 != 0) add_last_value(tile, p + keys - 1, p_row, v + (keys - 1) * dim);
  }
  store_tile(tile, acc, dim, 0, Rows, 0, NV * L, Overwrite{});
}

// acc[r] = acc[r] * shrink[r] + sum over keys of weight[r][key] * v[key]; lanes along dim. v: the cache of the tile's
// key/value head, of which the values up to `end` follow.
template <int L, CacheTile How, BLayout Values, std::int64_t Block, class TC>
STRATA_INLINE void value_block(const float* scores, std::int64_t rows, const TC* v, std::int64_t dim, Range keys,
                               std::int64_t end, float* running) {
  using TP = typename Multiplier<Values>::type;
  constexpr std::int64_t kStep = kStepOf<Values>, kRow = kWeightsRow<Values, Block>;
  const RunningSoftmax state(running, rows);
  const TC* first = v + keys.begin * dim;
  for_each_row_tile<How.rows>(0, rows, [&]<int H>(Lanes<H>, std::int64_t row) {
    constexpr int kVectors = How.how.panels;
    const TP* p = reinterpret_cast<const TP*>(scores) + row * kRow;
    const float* shrink = state.shrink + row;
    float* out = state.acc + row * dim;
    const auto add = [&]<int NV, int N>(Lanes<NV>, Lanes<N>, std::int64_t d) {
      const NextBlock<How.how> next(first + d * keys.size(), row == 0, keys.end >= end);
      value_tile<H, NV, How.how, N, Values>(p, kRow, shrink, first + d * kStep, keys.size(), dim, next, out + d);
    };
    std::int64_t d = 0;
    for (; d + kVectors * L <= dim; d += kVectors * L) add(Lanes<kVectors>{}, Lanes<L>{}, d);
    for (; kVectors > 1 && d + L <= dim; d += L) add(Lanes<1>{}, Lanes<L>{}, d);
    if constexpr (Values == BLayout::kLanes && L > 1) {
      for (; d < dim; ++d) add(Lanes<1>{}, Lanes<1>{}, d);
    }
  });
}

// The weighted sums of a tile's rows, divided by the sums of the weights, into out[token][head][dim].
template <int L>
STRATA_NOINLINE void finish_attention(QueryTile tile, std::int64_t heads, std::int64_t dim, float* running,
                                      float* out) {
  const std::int64_t rows = tile.rows();
  const RunningSoftmax state(running, rows);
  for (std::int64_t r = 0; r < rows; ++r) {
    float* to = out + (tile.token(r) * heads + tile.head(r)) * dim;
    const float* from = state.acc + r * dim;
    const float inverse = 1.0f / state.sum[r];
    for_each_lane_group<L>(dim, [&](auto lanes, std::int64_t d) {
      store(lanes, to + d, static_cast<Vec<float, lanes.count>>(load(lanes, from + d) * inverse));
    });
  }
}

// Of a tile whose keys were divided into `count` parts: what each part's rows have summed (RunningSoftmax), `slot`
// floats from part to part, is scaled to the largest score of all, added up in the order of the parts, and divided by
// the sums of the weights, into these columns of out[token][head][dim]. A part that has seen no key has sums of zero.
template <int L>
STRATA_NOINLINE void combine_attention(QueryTile tile, std::int64_t heads, std::int64_t dim, Range columns,
                                       float* states, std::int64_t slot, std::int64_t count, float* out) {
  const std::int64_t rows = tile.rows();
  for (std::int64_t r = 0; r < rows; ++r) {
    float maximum = Max::identity;
    for (std::int64_t p = 0; p < count; ++p) {
      maximum = Max{}(maximum, RunningSoftmax(states + p * slot, rows).maximum[r]);
    }
    float sum = 0.0f;
    for (std::int64_t p = 0; p < count; ++p) {
      const RunningSoftmax part(states + p * slot, rows);
      sum += part.sum[r] * exp_of_negative(part.maximum[r] - maximum);
    }
    float* const to = out + (tile.token(r) * heads + tile.head(r)) * dim + columns.begin;
    for (std::int64_t p = 0; p < count; ++p) {
      const RunningSoftmax part(states + p * slot, rows);
      const float weight = exp_of_negative(part.maximum[r] - maximum) / sum;
      const float* const from = part.acc + r * dim + columns.begin;
      for_each_lane_group<L>(columns.size(), [&](auto lanes, std::int64_t d) {
        const auto here = load(lanes, from + d) * weight;
        store(lanes, to + d, static_cast<Vec<float, lanes.count>>(p == 0 ? here : load(lanes, to + d) + here));
      });
    }
  }
}

// Writes keys [seq][kv_heads * dim] f32, ldk from token to token, into the cache at the rows positions[s], for the
// heads [head_begin, head_end).
template <int L, BLayout Keys = BLayout::kLanes, class TC>
STRATA_NOINLINE void cache_append_k(const float* k, std::int64_t ldk, const std::int32_t* positions, std::int64_t seq,
                                    std::int64_t dim, std::int64_t ctx_capacity, TC* k_cache, std::int64_t head_begin,
                                    std::int64_t head_end) {
  for (std::int64_t head = head_begin; head < head_end; ++head) {
    for (std::int64_t s = 0; s < seq; ++s) {
      const float* from = k + s * ldk + head * dim;
      constexpr std::int64_t kStep = kStepOf<Keys>;
      TC* to = k_cache + (head * ctx_capacity + positions[s] / L * L) * dim + positions[s] % L * kStep;
      convert_in_chunks<L, TC>(from, dim, [&](std::int64_t first, const TC* chunk, std::int64_t count) {
        for (std::int64_t d = 0; d < count; d += kStep) {
          __builtin_memcpy(to + (first + d) * L, chunk + d, kStep * sizeof(TC));
        }
      });
    }
  }
}

template <int L, BLayout Values = BLayout::kLanes, class TC>
STRATA_NOINLINE void cache_append_v(const float* v, std::int64_t ldv, const std::int32_t* positions, std::int64_t seq,
                                    std::int64_t dim, std::int64_t ctx_capacity, TC* v_cache, std::int64_t head_begin,
                                    std::int64_t head_end) {
  for (std::int64_t head = head_begin; head < head_end; ++head) {
    for (std::int64_t s = 0; s < seq; ++s) {
      const float* from = v + s * ldv + head * dim;
      if constexpr (Values == BLayout::kPairs) {
        // A word at a time with what lies beside it, which vectors can do.
        TC* to = v_cache + (head * ctx_capacity + positions[s] / 2 * 2) * dim;
        const int shift = positions[s] % 2 * 16;
        convert_in_chunks<L, TC>(from, dim, [&](std::int64_t first, const TC* chunk, std::int64_t count) {
          for (std::int64_t d = 0; d < count; ++d) {
            std::uint32_t pair;
            __builtin_memcpy(&pair, to + 2 * (first + d), sizeof(pair));
            pair = (pair & (0xffff0000u >> shift)) | std::uint32_t{chunk[d].bits} << shift;
            __builtin_memcpy(to + 2 * (first + d), &pair, sizeof(pair));
          }
        });
      } else {
        TC* to = v_cache + (head * ctx_capacity + positions[s]) * dim;
        for_each_lane_group<L>(dim, [&](auto lanes, std::int64_t d) { store(lanes, to + d, load(lanes, from + d)); });
      }
    }
  }
}

}  // namespace strata::tensor
