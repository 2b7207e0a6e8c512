// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cost/tiled_product.h"
#include "machine/machine.h"
#include "tiles/tile_program.h"

namespace strata::cost {

// The tiles of a product as a program: panels, blocks of rows and blocks of k, in this order, with the time of
// TiledWork on one thread, whose right operand comes from the outermost level. A register tile fits the registers (rows
// * panels accumulators, panels of the right operand, a broadcast), a block and two groups of panels (the one at work,
// the one that is fetched ahead) fit 13 sixteenths of the outermost cache that a core has for itself.
// On a machine with a memory level that software manages, parts of the columns are a fourth size: operands come from
// behind that level as often as they are copied, and the buffers of all copies fit it together.
tiles::Program tile_program(const machine::Machine& machine, const TiledProduct& product);

// Its solution, the fastest tiles by prediction: remembered, as a plan asks for few different ones, many times. Where
// nothing keeps the limits, or the machine is one of fixed tiles, those of machine::register_tile and cache_block (with
// copies such tiles have no columns, and no code).
// Every tile that a loop takes is the smallest of its number of steps (Roller, Zhu et al., OSDI 2022: aligned tiles;
// Welder, Shi et al., OSDI 2023: sizes by memory level).
ProductTiles product_tiles(const machine::Machine& machine, const TiledProduct& product);
ProductTiles fixed_product_tiles(const machine::Machine& machine, const TiledProduct& product);

struct RankedTiles {
  ProductTiles tiles;
  double seconds = 0;  // on one thread
};

// product_tiles() and the next best by prediction, up to `count` of them: each differs from all before it by a quarter
// or more in one of its sizes, as between neighbours there is little to choose.
// Of a machine with fixed tiles these alone, without a time.
std::vector<RankedTiles> best_product_tiles(const machine::Machine& machine, const TiledProduct& product,
                                            std::size_t count);

// Whether one size is at most three quarters of the other.
bool are_apart(std::int64_t a, std::int64_t b);

// Row tiles that the left operand may be packed in: the machine's (machine::register_tile), and where another one is
// predicted to be faster by more than a hundredth, that one: by rows and types alone, of a matrix of usual size, so
// that all that read one packed operand are offered the same. Few rows may be fewer at run time: for up to 16 of them,
// also the best one of half as many. At most 8 rows, and half of the registers: of more, compilers keep some in memory
// (12 x 1 of 16 registers on a Zen 3 with 512 rows: 0.64 times as fast as 6 x 2).
std::vector<std::int64_t> row_tiles(const machine::Machine& machine, const TiledProduct& product);

}  // namespace strata::cost
