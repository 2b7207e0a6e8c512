// SPDX-License-Identifier: Apache-2.0
#include "compile/solved_tiles_file.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <vector>

#include "base/temp_dir.h"
#include "base/text_file.h"
#include "cost/solved_tiles.h"

namespace strata::compile {
namespace {

namespace fs = std::filesystem;

class SolvedTilesFileTest : public testing::Test {
 protected:
  SolvedTilesFileTest() { setenv("STRATA_CACHE", cache_.c_str(), 1); }

  // Of a key that nobody else has; whether it wasn't known.
  static bool solve(double key) {
    bool is_new = false;
    cost::tile_memory().at(std::vector<double>{key, -1}, [&] { return is_new = true, cost::SolvedTiles{{}, 1}; });
    return is_new;
  }

  fs::path file() const {
    for (const auto& entry : fs::directory_iterator(cache_ / "tiles")) return entry.path();
    return {};
  }

  Records kept(const std::string& program) const {
    SolvedTilesFile(machine_, program).keep();
    return parse_records(read_text_file(file(), 1 << 20), owner()).value();
  }

  // The second line of the file.
  std::string owner() const {
    const std::string text = read_text_file(file(), 1 << 20);
    const std::size_t begin = text.find('\n') + 1;
    return text.substr(begin, text.find('\n', begin) - begin);
  }

  // As if another process had solved this too.
  void add_to_file(double key) const {
    cost::TileMemory other;
    other.at(std::vector<double>{key, -1}, [] { return cost::SolvedTiles{{}, 1}; });
    save_records(file(), other.records(), owner());
  }

  const machine::Machine machine_ = machine::load("avx512-zen5");
  const TempDir folder_{fs::temp_directory_path(), "strata-test"};
  const fs::path cache_ = folder_.path() / "cache";
};

TEST_F(SolvedTilesFileTest, HasWhatWasSolved) {
  solve(1);
  const Records before = kept("a program");
  EXPECT_EQ(before, cost::tile_memory().records());
  solve(2);
  EXPECT_EQ(kept("a program").size(), before.size() + 1);
  EXPECT_EQ(std::distance(fs::directory_iterator(cache_ / "tiles"), {}), 1);
}

TEST_F(SolvedTilesFileTest, TellsTheNextProcess) {
  solve(4);
  kept("a program");
  add_to_file(3);
  const SolvedTilesFile read(machine_, "a program");
  EXPECT_FALSE(solve(3));
}

TEST_F(SolvedTilesFileTest, OfAnotherProgramOrOfOthersIsNotBelieved) {
  for (const int key : {5, 6}) {
    solve(7);
    kept("a program");
    add_to_file(key);
    if (key == 6) fs::permissions(file(), fs::perms::others_write, fs::perm_options::add);
    const SolvedTilesFile read(machine_, key == 5 ? "another program" : "a program");
    EXPECT_TRUE(solve(key)) << key;
    fs::remove(file());
  }
}

TEST_F(SolvedTilesFileTest, MayBeImpossible) {
  write_unsynced(cache_, "no folder");
  const SolvedTilesFile none(machine_, "a program");
  solve(8);
  EXPECT_NO_THROW(none.keep());
  unsetenv("STRATA_CACHE");
}

}  // namespace
}  // namespace strata::compile
