// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cost/work_counter.h"

namespace strata::cost {

// What the leaves of the table do and move.

// A contraction of one row; in register tiles.
void count_stream(WorkCounter& counter);
void count_tile(WorkCounter& counter);

void count_pack(WorkCounter& counter);
void count_gather(WorkCounter& counter);
void count_append(WorkCounter& counter);
void count_attention(WorkCounter& counter);
double attention_tiles(const WorkCounter& counter);  // of queries that share keys and values
// Times parts of the keys, as many as there are of the size of the largest one.
double attention_units(const WorkCounter& counter);
void count_concat(WorkCounter& counter);
void count_largest(WorkCounter& counter);
void count_take(WorkCounter& counter);

// What the ranks of a mesh exchange.
void count_all_reduce(WorkCounter& counter);
void count_reduce_scatter(WorkCounter& counter);
void count_all_gather(WorkCounter& counter);
void count_all_to_all(WorkCounter& counter);
void count_rank_slice(WorkCounter& counter);
void count_rank_gather(WorkCounter& counter);

}  // namespace strata::cost
