// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

// What fake_program.cpp computes. A row of logits tells how it came about.
namespace fake {

inline constexpr std::int64_t kHidden = 8;
inline constexpr std::int64_t kVocab = 32;
inline constexpr std::int64_t kScratch = 4160;
inline constexpr std::int64_t kPage = 256;

// The contract that it exports, until a test writes its manifest's there.
inline constexpr char kNoContract[] = "-the test writes a contract here-";

enum Column : std::size_t {
  kChecksum = 0,     // sum of (p + 1) x token over the positions up to the row's own
  kSeq = 1,          // tokens of the forward call
  kCtx = 2,          // tokens that the cache holds
  kEntry = 3,        // 1: fake_forward_one, 2: fake_forward_many, 3: fake_forward_first_row, 5: fake_forward_paged, 6:
                     // fake_forward_each
  kPosition = 4,     // of the row's token
  kRanks = 5,        // threads that took part in the forward call; -1: others have written in the row's scratch memory
  kWeight = 6,       // the first weight
  kRow = 7,          // row within the forward call
  kHeadSeq = 8,      // rows of the head call
  kHeadCalls = 9,    // head calls of this loaded library so far
  kFirstPlain = 10,  // from here on: the column's number + the second weight
};

// Ids of the marks in forward; head has none.
enum Mark : int { kFill = 0, kHiddenRows = 2 };

}  // namespace fake
