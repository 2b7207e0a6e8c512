// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <limits>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/record_file.h"
#include "cost/tiled_product.h"

namespace strata::cost {

// The fastest tiles of a product by prediction, and their time, in seconds; infinite where nothing keeps the limits.
struct SolvedTiles {
  ProductTiles tiles;
  double time = std::numeric_limits<double>::infinity();
  bool operator==(const SolvedTiles&) const = default;
};

// "4 78 1024 1 1.9p-9": panels, rows, depth, level, and the time to the bit; columns behind it where there are.
std::string to_text(const SolvedTiles& solved);

// Nothing for another text, or sizes that no product has.
std::optional<SolvedTiles> parse_solved_tiles(std::string_view text);

// Solutions by a hash of all that their programs depend on. One that is remembered is the one that solving would find:
// plans are the same with it and without. For any thread.
class TileMemory {
 public:
  SolvedTiles at(std::span<const double> key, const std::function<SolvedTiles()>& solve);

  // What is remembered, for the next process, and what an earlier one remembered; what is malformed is left out.
  Records records() const;
  void add(const Records& records);

 private:
  mutable std::mutex mutex_;
  std::map<std::string, SolvedTiles> known_;
};

// That of this process, which product_tiles() asks.
TileMemory& tile_memory();

}  // namespace strata::cost
