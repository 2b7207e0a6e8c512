// SPDX-License-Identifier: Apache-2.0
#include "compile/solved_tiles_file.h"

#include "base/cache_folder.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/trust.h"
#include "cost/solved_tiles.h"

namespace strata::compile {

SolvedTilesFile::SolvedTilesFile(const machine::Machine& machine, const std::string& program_hash) {
  const std::filesystem::path cache = find_cache_folder();
  if (cache.empty() || !reason_to_distrust(cache).empty()) return;
  const std::string of = hash128(machine::to_json(machine)).hex();
  owner_ = program_hash + " " + of;
  try {
    before_ = load_records(cache / "tiles" / ("solved-" + of + ".txt"), owner_);
    path_ = cache / "tiles" / ("solved-" + of + ".txt");
  } catch (const Error&) {
    return;  // not to be trusted
  }
  cost::tile_memory().add(before_);
}

void SolvedTilesFile::keep() const {
  if (path_.empty()) return;
  const Records now = cost::tile_memory().records();
  if (now == before_) return;
  try {
    make_private_folder(path_.parent_path().parent_path());
    save_records(path_, now, owner_);
  } catch (const Error&) {
    return;  // a cache that is read-only, or full
  }
}

}  // namespace strata::compile
