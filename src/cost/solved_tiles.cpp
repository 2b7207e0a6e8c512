// SPDX-License-Identifier: Apache-2.0
#include "cost/solved_tiles.h"

#include <charconv>
#include <vector>

#include "base/hash.h"
#include "base/words.h"

namespace strata::cost {
namespace {

std::string exact_text(double value) {
  char text[40];
  const auto [end, error] = std::to_chars(text, text + sizeof text, value, std::chars_format::hex);
  return {text, end};
}

std::optional<double> exact_number(std::string_view word) {
  double value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value, std::chars_format::hex);
  const bool is_time = error == std::errc() && end == word.data() + word.size() && value > 0;
  return is_time ? std::optional(value) : std::nullopt;
}

}  // namespace

std::string to_text(const SolvedTiles& solved) {
  const ProductTiles& tiles = solved.tiles;
  return std::to_string(tiles.panels) + " " + std::to_string(tiles.rows) + " " + std::to_string(tiles.depth) + " " +
         std::to_string(tiles.level) + " " + exact_text(solved.time) +
         (tiles.columns == 0 ? "" : " " + std::to_string(tiles.columns));
}

std::optional<SolvedTiles> parse_solved_tiles(std::string_view text) {
  constexpr int kMostLevels = 16;
  const std::vector<std::string_view> parts = split(text, ' ');
  if (parts.size() != 5 && parts.size() != 6) return std::nullopt;
  const auto panels = number_of<std::int64_t>(parts[0]), rows = number_of<std::int64_t>(parts[1]);
  const auto depth = number_of<std::int64_t>(parts[2]);
  const auto level = number_of<int>(parts[3]);
  const auto time = exact_number(parts[4]);
  const auto columns = parts.size() == 5 ? std::optional<std::int64_t>(0) : number_of<std::int64_t>(parts[5]);
  if (!panels || !rows || !depth || !level || !time || !columns) return std::nullopt;
  if (parts.size() == 6 && *columns < 1) return std::nullopt;
  if (*panels < 1 || *rows < 1 || *depth < 1 || *level < 0 || *level >= kMostLevels) return std::nullopt;
  return SolvedTiles{{*panels, *rows, *depth, *level, *columns}, *time};
}

SolvedTiles TileMemory::at(std::span<const double> key, const std::function<SolvedTiles()>& solve) {
  const std::string name = hash128(std::as_bytes(key)).hex();
  const std::lock_guard lock(mutex_);
  if (const auto found = known_.find(name); found != known_.end()) return found->second;
  return known_.emplace(name, solve()).first->second;
}

Records TileMemory::records() const {
  const std::lock_guard lock(mutex_);
  Records records;
  for (const auto& [key, solved] : known_) records.emplace_hint(records.end(), key, to_text(solved));
  return records;
}

void TileMemory::add(const Records& records) {
  const std::lock_guard lock(mutex_);
  for (const auto& [key, text] : records) {
    if (const auto solved = parse_solved_tiles(text)) known_.try_emplace(key, *solved);
  }
}

TileMemory& tile_memory() {
  static TileMemory memory;
  return memory;
}

}  // namespace strata::cost
