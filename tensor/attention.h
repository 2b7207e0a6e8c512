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

#include "tensor/pack.h"
#include "tensor/range.h"
#include "tensor/tile.h"

namespace strata::tensor {

struct AttentionTile {
  // Rows (query tokens times heads of a group) of a work item: keys and values come from memory once per item.
  std::int64_t rows;
  // Keys per step of the online softmax: scores of a step stay in a near cache. A multiple of the lanes.
  std::int64_t keys;
};

// A score as it is.
struct Unchanged {
  template <class V>
  STRATA_INLINE V operator()(V x) const {
    return x;
  }
};

struct AttentionShape {
  AttentionTile tile;
  std::int64_t seq, heads, kv_heads, dim, ctx_capacity;
  std::int64_t ldq = 0;

  constexpr std::int64_t group() const { return heads / kv_heads; }
  constexpr std::int64_t tile_tokens() const { return group() >= tile.rows ? 1 : tile.rows / group(); }
  constexpr std::int64_t tile_rows() const { return (seq < tile_tokens() ? seq : tile_tokens()) * group(); }
  constexpr std::int64_t tiles() const { return div_up(seq, tile_tokens()); }
  constexpr std::int64_t state_floats() const { return tile_rows() * (dim + 2); }
};

// Units of work that threads divide: (key/value head, tile of queries).
constexpr std::int64_t attention_work_items(AttentionTile tile, std::int64_t seq, std::int64_t heads,
                                            std::int64_t kv_heads) {
  return kv_heads * AttentionShape{tile, seq, heads, kv_heads, 0, 0}.tiles();
}

// Floats of scratch per thread.
constexpr std::int64_t attention_scratch_floats(AttentionTile tile, std::int64_t seq, std::int64_t heads,
                                                std::int64_t kv_heads, std::int64_t dim) {
  const AttentionShape shape{tile, seq, heads, kv_heads, dim, 0};
  return shape.state_floats() + shape.tile_rows() * (dim + tile.keys + 1);
}

// The running softmax of a tile's rows: largest score, sum of exponentials, weighted sum of values.
struct AttentionState {
  float* maximum;  // [rows]
  float* sum;      // [rows]
  float* acc;      // [rows][dim]

  AttentionState(float* memory, std::int64_t rows) : maximum(memory), sum(memory + rows), acc(memory + 2 * rows) {}

  void clear(std::int64_t rows, std::int64_t dim) {
    for (std::int64_t r = 0; r < rows; ++r) maximum[r] = Max::identity, sum[r] = 0.0f;
    for (std::int64_t i = 0; i < rows * dim; ++i) acc[i] = 0.0f;
  }
};

// A work item: `tokens` queries from `token` on, all heads of one group. Row r is token r / group, head r % group.
// `keys` are those that any of them sees.
struct AttentionItem {
  std::int64_t kv_head, token, tokens, rows;
  Range keys;

  // Tiles alternate from both ends: late tiles see more keys, and contiguous ranges of items come out balanced.
  template <class Seen>
  AttentionItem(const AttentionShape& shape, const Seen& seen, std::int64_t item) {
    const std::int64_t i = item % shape.tiles();
    const std::int64_t tile = i % 2 == 0 ? i / 2 : shape.tiles() - 1 - i / 2;
    kv_head = item / shape.tiles();
    token = tile * shape.tile_tokens();
    tokens = shape.seq - token < shape.tile_tokens() ? shape.seq - token : shape.tile_tokens();
    rows = tokens * shape.group();
    keys = seen(token);
    for (std::int64_t s = token + 1; s < token + tokens; ++s) {
      const Range more = seen(s);
      keys = {more.begin < keys.begin ? more.begin : keys.begin, more.end > keys.end ? more.end : keys.end};
    }
    if (keys.begin < 0) keys.begin = 0;
  }
};

// Calls f(Lanes<H>, row) with heights 8 (16 lanes) or 4, then 4, 2, 1 until all rows are covered.
template <int H, class F>
STRATA_INLINE void for_each_row_tile(std::int64_t row, std::int64_t rows, F&& f) {
  for (; row + H <= rows; row += H) f(Lanes<H>{}, row);
  if constexpr (H > 1) for_each_row_tile<H / 2>(row, rows, f);
}
template <int L>
inline constexpr int kAttentionHeight = L >= 16 ? 8 : 4;
// Vectors per row: 16 accumulators at most with 32 registers, 8 with 16.
template <int L, int Height>
inline constexpr int kAttentionVectors = Height == kAttentionHeight<L> ? 2 : 4;

// Low tiles (decode) are bound by memory: they fetch the next block of keys and values ahead.
template <int L, int Rows, std::int64_t Block>
inline constexpr std::int64_t kFetchAhead = Rows < kAttentionHeight<L> ? Block : 0;

// Calls f(first, chunk, count) with x * scale as T, piece by piece: vectors convert, whatever order the pieces are
// stored in. `first` is even.
template <int L, class T, class F>
STRATA_INLINE void convert_in_chunks(const float* x, float scale, std::int64_t count, F&& f) {
  constexpr std::int64_t kChunk = 64;
  alignas(64) T chunk[kChunk];
  for (std::int64_t first = 0; first < count; first += kChunk) {
    const std::int64_t size = count - first < kChunk ? count - first : kChunk;
    for_each_lane_group<L>(size, [&]<int N>(Lanes<N> lanes, std::int64_t i) {
      store<N>(lanes, chunk + i, load(lanes, x + first + i) * scale);
    });
    f(first, chunk, size);
  }
}

// How the left operand of a product with B of this layout is stored.
template <BLayout Layout>
struct Multiplier {
  using type = float;
};
template <>
struct Multiplier<BLayout::kPairs> {
  using type = bf16;
};

template <int Rows, int NV, int L, BLayout Keys, std::int64_t Block, class TQ, class TC>
STRATA_NOINLINE void score_tile(const TQ* q, std::int64_t rows, const TC* k, std::int64_t dim, float* scores) {
  constexpr std::int64_t kStep = kStepOf<Keys>;
  const std::int64_t ahead = kFetchAhead<L, Rows, Block> * dim;
  const TileA<TQ> queries{q, kStep, kStep * rows};
  const TileB<TC> keys{k, dim * L, kStep * L};
  Tile<Rows, NV, L> tile;
  tile.clear();
  if constexpr (Keys == BLayout::kPairs) {
    multiply_pairs(tile, queries, keys, dim / 2, {}, ahead);
  } else {
    multiply_lanes(tile, queries, keys, dim, {}, ahead);
  }
  store_tile(tile, scores, Block, 0, Rows, 0, NV * L, Overwrite{});
}

// scores[r][0 .. panels * L) = q[r] . keys; q packed [dim][rows] or [dim / 2][rows][2], k at the first panel.
template <int L, BLayout Keys, std::int64_t Block, class TQ, class TC>
STRATA_INLINE void score_block(const TQ* q, std::int64_t rows, const TC* k, std::int64_t panels, std::int64_t dim,
                               float* scores) {
  for_each_row_tile<kAttentionHeight<L>>(0, rows, [&]<int H>(Lanes<H>, std::int64_t row) {
    constexpr int kVectors = kAttentionVectors<L, H>;
    float* out = scores + row * Block;
    std::int64_t p = 0;
    for (; p + kVectors <= panels; p += kVectors) {
      score_tile<H, kVectors, L, Keys, Block>(q + row * kStepOf<Keys>, rows, k + p * dim * L, dim, out + p * L);
    }
    for (; p < panels; ++p) {
      score_tile<H, 1, L, Keys, Block>(q + row * kStepOf<Keys>, rows, k + p * dim * L, dim, out + p * L);
    }
  });
}

// One row's step of the online softmax over its scores `valid` of `padded`; the weights of the others become 0. The
// weights may overwrite the scores. Returns the factor by which what was summed so far shrinks.
template <int L, class TP, class Score>
STRATA_INLINE float softmax_step(float* scores, Range valid, std::int64_t padded, TP* weights, const Score& score,
                                 float& maximum, float& sum) {
  const std::int64_t used = valid.size() < 0 ? 0 : valid.size(), begin = used == 0 ? 0 : valid.begin;
  float* const from = scores + begin;
  TP* const to = weights + begin;
  const float larger = reduce<L>(used, maximum, Max{}, [&]<int N>(Lanes<N> lanes, std::int64_t i) {
    const Vec<float, N> changed = score(load(lanes, from + i));
    if constexpr (!std::is_same_v<Score, Unchanged>) store<N>(lanes, from + i, changed);
    return changed;
  });
  const float shrink = used == 0 ? 1.0f : exp(maximum - larger);
  for (std::int64_t i = 0; i < begin; ++i) weights[i] = TP(0.0f);
  sum = sum * shrink + reduce<L>(used, 0.0f, Sum{}, [&]<int N>(Lanes<N> lanes, std::int64_t i) {
          const Vec<float, N> e = exp(load(lanes, from + i) - larger);
          store<N>(lanes, to + i, e);
          return e;
        });
  for (std::int64_t i = begin + used; i < padded; ++i) weights[i] = TP(0.0f);
  maximum = larger;
  return shrink;
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
template <int Rows, int NV, int L, BLayout Values, std::int64_t Block, class TP, class TC>
STRATA_NOINLINE void value_tile(const TP* p, std::int64_t p_row, const float* shrink, const TC* v, std::int64_t keys,
                                std::int64_t dim, float* acc) {
  constexpr std::int64_t kStep = kStepOf<Values>;
  const std::int64_t ahead = kFetchAhead<L, Rows, Block> * dim;
  const TileA<TP> weights{p, p_row, kStep};
  const TileB<TC> values{v, kStep * L, kStep * dim};
  Tile<Rows, NV, L> tile;
  STRATA_UNROLL
  for (int r = 0; r < Rows; ++r) {
    STRATA_UNROLL
    for (int j = 0; j < NV; ++j) tile.acc[r][j] = load(Lanes<L>{}, acc + r * dim + j * L) * shrink[r];
  }
  if constexpr (Values == BLayout::kPairs) {
    multiply_pairs(tile, weights, values, keys / 2, {}, ahead);
    if (keys % 2 != 0) add_last_value(tile, p + keys - 1, p_row, v + (keys - 1) * dim);
  } else {
    multiply_lanes(tile, weights, values, keys, {}, ahead);
  }
  store_tile(tile, acc, dim, 0, Rows, 0, NV * L, Overwrite{});
}

// acc[r] = acc[r] * shrink[r] + sum over keys of p[r][key] * v[key]; lanes along dim.
template <int L, BLayout Values, std::int64_t Block, class TP, class TC>
STRATA_INLINE void value_block(const TP* p, std::int64_t p_row, const float* shrink, std::int64_t rows, const TC* v,
                               std::int64_t keys, std::int64_t dim, float* acc) {
  constexpr std::int64_t kStep = kStepOf<Values>;
  for_each_row_tile<kAttentionHeight<L>>(0, rows, [&]<int H>(Lanes<H>, std::int64_t row) {
    constexpr int kVectors = kAttentionVectors<L, H>;
    const TP* weights = p + row * p_row;
    float* out = acc + row * dim;
    std::int64_t d = 0;
    for (; d + kVectors * L <= dim; d += kVectors * L) {
      value_tile<H, kVectors, L, Values, Block>(weights, p_row, shrink + row, v + d * kStep, keys, dim, out + d);
    }
    for (; d + L <= dim; d += L) {
      value_tile<H, 1, L, Values, Block>(weights, p_row, shrink + row, v + d * kStep, keys, dim, out + d);
    }
    if constexpr (Values == BLayout::kLanes) {
      for (; d < dim; ++d) value_tile<H, 1, 1, Values, Block>(weights, p_row, shrink + row, v + d, keys, dim, out + d);
    }
  });
}

// Queries of an item times `scale`: [dim][rows], or in pairs [dim / 2][rows][2].
template <int L, BLayout Keys, class TQ>
STRATA_INLINE void pack_queries(const AttentionShape& shape, const AttentionItem& item, const float* q, float scale,
                                TQ* out) {
  constexpr std::int64_t kStep = kStepOf<Keys>;
  const std::int64_t group = shape.group();
  for (std::int64_t r = 0; r < item.rows; ++r) {
    const float* row = q + (item.token + r / group) * shape.ldq + (item.kv_head * group + r % group) * shape.dim;
    convert_in_chunks<L, TQ>(row, scale, shape.dim, [&](std::int64_t first, const TQ* chunk, std::int64_t count) {
      TQ* to = out + first * item.rows + r * kStep;
      for (std::int64_t d = 0; d < count; d += kStep) {
        __builtin_memcpy(to + d * item.rows, chunk + d, kStep * sizeof(TQ));
      }
    });
  }
}

// The item's rows over a range of keys that begins at a multiple of L. scratch: rows * (dim + Block + 1).
template <int L, BLayout Keys, BLayout Values, std::int64_t Block, class TC, class Seen, class Score>
STRATA_INLINE void attend(const AttentionShape& shape, const AttentionItem& item, const float* q, const TC* k_cache,
                          const TC* v_cache, const Seen& seen, float scale, const Score& score, Range range,
                          AttentionState state, float* scratch) {
  using TQ = typename Multiplier<Keys>::type;
  using TP = typename Multiplier<Values>::type;
  const std::int64_t rows = item.rows, dim = shape.dim, group = shape.group();
  float* scores = scratch + rows * dim;   // [rows][Block]; the weights take the place of the scores
  float* shrink = scores + rows * Block;  // [rows]
  TQ* packed_q = reinterpret_cast<TQ*>(scratch);
  TP* weights = reinterpret_cast<TP*>(scores);
  constexpr std::int64_t kWeightsRow = Block * static_cast<std::int64_t>(sizeof(float) / sizeof(TP));
  pack_queries<L, Keys>(shape, item, q, scale, packed_q);
  state.clear(rows, dim);
  const TC* k = k_cache + item.kv_head * shape.ctx_capacity * dim;
  const TC* v = v_cache + item.kv_head * shape.ctx_capacity * dim;
  for (std::int64_t first = range.begin; first < range.end; first += Block) {
    const std::int64_t keys = range.end - first < Block ? range.end - first : Block;
    score_block<L, Keys, Block>(packed_q, rows, k + first * dim, div_up(keys, L), dim, scores);
    for (std::int64_t r = 0; r < rows; ++r) {
      const Range all = seen(item.token + r / group);
      const Range here = {all.begin > first ? all.begin - first : 0, all.end - first < keys ? all.end - first : keys};
      shrink[r] = softmax_step<L>(scores + r * Block, here, keys, weights + r * kWeightsRow, score, state.maximum[r],
                                  state.sum[r]);
    }
    value_block<L, Values, Block>(weights, kWeightsRow, shrink, rows, v + first * dim, keys, dim, state.acc);
  }
}

// The row of `out` that belongs to row r of an item.
inline float* attention_out_row(const AttentionShape& shape, const AttentionItem& item, std::int64_t r, float* out) {
  const std::int64_t group = shape.group();
  return out + ((item.token + r / group) * shape.heads + item.kv_head * group + r % group) * shape.dim;
}

// Decode and prefill: the work items [work_begin, work_end). scratch: attention_scratch_floats, one per thread.
template <int L, AttentionTile Tile, BLayout Keys = BLayout::kLanes, BLayout Values = BLayout::kLanes, class TC,
          class Seen, class Score>
STRATA_NOINLINE void attention(const float* q, std::int64_t ldq, const TC* k_cache, const TC* v_cache, const Seen& seen,
                               float scale, const Score& score, std::int64_t seq, std::int64_t heads,
                               std::int64_t kv_heads, std::int64_t dim, std::int64_t ctx_capacity, float* out,
                               float* scratch, std::int64_t work_begin, std::int64_t work_end) {
  const AttentionShape shape{Tile, seq, heads, kv_heads, dim, ctx_capacity, ldq};
  for (std::int64_t i = work_begin; i < work_end; ++i) {
    const AttentionItem item(shape, seen, i);
    const AttentionState state(scratch, item.rows);
    attend<L, Keys, Values, Tile.keys>(shape, item, q, k_cache, v_cache, seen, scale, score,
                                       {item.keys.begin / L * L, item.keys.end}, state, scratch + shape.state_floats());
    for (std::int64_t r = 0; r < item.rows; ++r) {
      float* to = attention_out_row(shape, item, r, out);
      const float* from = state.acc + r * dim;
      const float inverse = 1.0f / state.sum[r];
      for_each_lane_group<L>(dim, [&](auto lanes, std::int64_t d) {
        store(lanes, to + d, static_cast<Vec<float, lanes.count>>(load(lanes, from + d) * inverse));
      });
    }
  }
}

// Where threads outnumber the work items (decode with few key/value heads), each item is split into `splits` ranges of
// keys: attention_split over items * splits units, a barrier, then attention_merge over the items.
inline std::int64_t attention_partial_floats(AttentionTile tile, std::int64_t seq, std::int64_t heads,
                                             std::int64_t kv_heads, std::int64_t dim, std::int64_t splits) {
  const AttentionShape shape{tile, seq, heads, kv_heads, dim, 0};
  return attention_work_items(tile, seq, heads, kv_heads) * splits * shape.state_floats();
}

template <int L, AttentionTile Tile, BLayout Keys = BLayout::kLanes, BLayout Values = BLayout::kLanes, class TC,
          class Seen, class Score>
STRATA_NOINLINE void attention_split(const float* q, std::int64_t ldq, const TC* k_cache, const TC* v_cache,
                                     const Seen& seen, float scale, const Score& score, std::int64_t seq,
                                     std::int64_t heads, std::int64_t kv_heads, std::int64_t dim,
                                     std::int64_t ctx_capacity, std::int64_t splits, float* partials, float* scratch,
                                     std::int64_t work_begin, std::int64_t work_end) {
  const AttentionShape shape{Tile, seq, heads, kv_heads, dim, ctx_capacity, ldq};
  for (std::int64_t i = work_begin; i < work_end; ++i) {
    const AttentionItem item(shape, seen, i / splits);
    const std::int64_t first = item.keys.begin / L * L, split = i % splits;
    const std::int64_t blocks = div_up(item.keys.end - first, Tile.keys);
    const std::int64_t begin = first + blocks * split / splits * Tile.keys;
    const std::int64_t end = first + blocks * (split + 1) / splits * Tile.keys;
    const AttentionState state(partials + i * shape.state_floats(), item.rows);
    attend<L, Keys, Values, Tile.keys>(shape, item, q, k_cache, v_cache, seen, scale, score,
                                       {begin, end < item.keys.end ? end : item.keys.end}, state, scratch);
  }
}

// Weights the partial sums of an item by e^(their maximum - the largest maximum).
template <int L, AttentionTile Tile, class Seen>
STRATA_NOINLINE void attention_merge(const float* partials, const Seen& seen, std::int64_t seq, std::int64_t heads,
                                     std::int64_t kv_heads, std::int64_t dim, std::int64_t splits, float* out,
                                     std::int64_t item_begin, std::int64_t item_end) {
  const AttentionShape shape{Tile, seq, heads, kv_heads, dim, 0};
  for (std::int64_t i = item_begin; i < item_end; ++i) {
    const AttentionItem item(shape, seen, i);
    const float* first = partials + i * splits * shape.state_floats();
    const auto partial = [&](std::int64_t split) {
      return AttentionState(const_cast<float*>(first) + split * shape.state_floats(), item.rows);
    };
    for (std::int64_t r = 0; r < item.rows; ++r) {
      float maximum = Max::identity, sum = 0.0f;
      for (std::int64_t s = 0; s < splits; ++s) maximum = max(maximum, partial(s).maximum[r]);
      for (std::int64_t s = 0; s < splits; ++s) sum += exp(partial(s).maximum[r] - maximum) * partial(s).sum[r];
      float* to = attention_out_row(shape, item, r, out);
      for (std::int64_t s = 0; s < splits; ++s) {
        const float weight = exp(partial(s).maximum[r] - maximum) / sum;
        const float* from = partial(s).acc + r * dim;
        for_each_lane_group<L>(dim, [&]<int N>(Lanes<N> lanes, std::int64_t d) {
          const Vec<float, N> before = s == 0 ? Vec<float, N>{} : load(lanes, to + d);
          store<N>(lanes, to + d, before + load(lanes, from + d) * weight);
        });
      }
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
      convert_in_chunks<L, TC>(from, 1.0f, dim, [&](std::int64_t first, const TC* chunk, std::int64_t count) {
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
        convert_in_chunks<L, TC>(from, 1.0f, dim, [&](std::int64_t first, const TC* chunk, std::int64_t count) {
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
