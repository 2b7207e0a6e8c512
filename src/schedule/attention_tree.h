// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "schedule/schedule.h"

namespace strata::schedule {

// What is chosen of an attention's tree.
struct AttentionTiles {
  std::int64_t parts = 1;   // of the context
  std::int64_t tokens = 0;  // at most, in a tile of queries; 0: as fit the machine's first cache
  std::int64_t keys = 0;    // in a block; 0: the same
};

// The tree of an attention: tiles of queries that share a head of keys and values, past blocks of these.
//
//   parallel h by 2 {
//     parallel s by 16 {
//       buffer queries: bf16[4096] in L1
//       buffer scores: f32[8192] in L1
//       buffer running: f32[4192] in L1
//       leaf attention-start with queries, running
//       serial t by 256 in L2 {
//         leaf attention-scores rows 8 panels 2 ahead 0 locality 0 with queries, scores
//         leaf attention-softmax with scores, running
//         leaf attention-values rows 8 panels 2 ahead 0 locality 0 with scores, running
//       }
//       leaf attention-finish with running
//     }
//   }
//
// With several `parts` of the context, which threads share as they share tiles:
//
//   shared running: f32[64, 272] in L3
//   parallel h by 2 {
//     parallel s by 1 {
//       split t into 32 {
//         buffer queries: bf16[256] in L1
//         buffer scores: f32[8192] in L1
//         leaf attention-start with queries, running
//         serial t by 4096 {
//           ...
//         }
//       }
//     }
//   }
//   barrier
//   parallel h by 2 {
//     parallel s by 1 {
//       parallel d by 16 {
//         leaf attention-combine with running
//       }
//     }
//   }
//
// Parts are of whole lanes of the keys that a tile's queries see, so their bounds follow from the positions, and what
// is computed does not depend on the threads that there are. A slot ends with a cache line, as do the columns that one
// thread combines.
//
// Tiles and blocks are those of the machine's first cache (machine::attention_block). A single token waits for memory:
// keys are read in as many streams as the machine's weights are, the values of a key all at once, and nothing is
// fetched ahead, because keys and values take turns. On a Zen 4, 4,096 keys of 8 heads of 128, GB/s of bf16, f16 and
// f32: 29.5, 27.8, 30.5 so; 22.6, 25.3, 24.0 fetched 4 KiB ahead; 14.4, 16.1, 14.7 four vectors side by side.
//
// Where registers can't hold the sums of all heads and columns, several register tiles read the same keys or values,
// each with gaps, in which a processor sees no stream. So blocks are small enough to stay in the first cache with the
// next ones, which are fetched meanwhile, in the order of memory. On a Zen 3, one thread beside other work, the same
// keys, GB/s of bf16, f16 and f32: 10.0, 10.0, 9.4 in blocks of 16 keys; 7.9, 7.9, 9.1 of 24, which end inside of
// pages; 8.9, 8.4, 9.1 of 32; 4.7, 5.0, 7.7 of 4,096 and not fetched; 8.8, 9.3, 10.8 where they are only read. With
// gaps in what is fetched too, bf16 takes 1.4 times as long in blocks of 64, and with keys or values alone fetched 1.7
// times in blocks of 16.
//
// Where keys lie in pages a block is a page, and where each token has pages of its own a tile is one token.
TileTree attention_tree(const ScheduledOp& op, const machine::Machine& machine, const AttentionTiles& tiles = {});

// What blocks of an iterator are multiples of.
std::int64_t key_unit(const ScheduledOp& op, int iterator);

// Where a leaf of an attention's tree stands: by iterator, the innermost loop that cuts it (nullptr: none does) and
// whether threads divide it; the loop that divides the keys into parts (nullptr: there is none); the barriers before
// it.
struct AttentionPlace {
  std::vector<const TileNode*> loops;
  std::vector<bool> is_divided;
  const TileNode* split = nullptr;
  int barriers = 0;
};

// What is wrong with a leaf at a place, the first of the op's leaves standing at `first`, the first of those that take
// blocks of the keys at `block`; "": nothing.
std::string attention_fault(const ScheduledOp& op, const TileNode& node, const AttentionPlace& place,
                            const AttentionPlace& first, const AttentionPlace& block, const machine::Machine& machine);

}  // namespace strata::schedule
