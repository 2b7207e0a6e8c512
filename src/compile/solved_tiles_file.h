// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>

#include "base/record_file.h"
#include "machine/machine.h"

namespace strata::compile {

// What earlier compilations have solved of tiles (cost/solved_tiles.h), in the cache: a file for each machine, for one
// program. It only saves work. Where it is missing, damaged, or others could have written it, tiles are solved again;
// where it can't be written, the next compilation solves them.
class SolvedTilesFile {
 public:
  // Tells this process what is in the file.
  SolvedTilesFile(const machine::Machine& machine, const std::string& program_hash);

  // Adds what this process has solved since.
  void keep() const;

 private:
  std::filesystem::path path_;  // empty: there is no cache
  std::string owner_;
  Records before_;
};

}  // namespace strata::compile
