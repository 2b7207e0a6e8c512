// SPDX-License-Identifier: Apache-2.0
#include "tune/runner.h"

#include <algorithm>

#include "base/cache_folder.h"
#include "calibrate/windows.h"
#include "machine/cpu.h"
#include "runtime/code_library.h"
#include "tune/contest_memory.h"

namespace strata::tune {
namespace {

using compile::Contest;
using compile::Rounds;

// The rounds' windows: by candidate and round.
using Windows = std::vector<std::vector<calibrate::Window>>;

// Without disturbed rounds, if enough are left.
Rounds seconds_of(const Windows& windows) {
  const std::size_t rounds = windows[0].size();
  std::vector<std::size_t> quiet;
  for (std::size_t round = 0; round < rounds; ++round) {
    if (std::ranges::none_of(windows, [&](const auto& own) { return own[round].disturbed; })) quiet.push_back(round);
  }
  const bool are_enough = quiet.size() >= compile::kFewestRounds;
  Rounds seconds(windows.size());
  for (std::size_t i = 0; i < windows.size(); ++i) {
    for (std::size_t round = 0; round < rounds; ++round) {
      if (!are_enough || std::ranges::binary_search(quiet, round)) seconds[i].push_back(windows[i][round].seconds);
    }
  }
  return seconds;
}

// The candidates in their memory.
class Candidates {
 public:
  Candidates(const Contest& contest, const runtime::CodeLibrary& code, runtime::ThreadTeam& team)
      : contest_(contest), team_(team), memory_(contest), windows_(contest.symbols.size()) {
    for (const std::string& symbol : contest.symbols) functions_.push_back(code.function(symbol));
  }

  // Whoever was first is last in the next round. Of the first round, in which code and data come from afar, nothing is
  // kept.
  void run_round() {
    const std::size_t count = functions_.size();
    for (std::size_t turn = 0; turn < count; ++turn) {
      const std::size_t candidate = (turn + round_) % count;
      const calibrate::Window window = run(candidate);
      if (round_ > 0) windows_[candidate].push_back(window);
    }
    ++round_;
  }

  const Windows& windows() const { return windows_; }

 private:
  calibrate::Window run(std::size_t candidate) {
    const std::vector<void*>& parameters = memory_.parameters(runs_++);
    return calibrate::run_window(team_, team_.size(), [&](tensor::Team member) {
      member.scratch = memory_.scratch(member.rank);
      functions_[candidate](member, parameters.data(), contest_.sizes.data(), memory_.arena(), nullptr);
    });
  }

  const Contest& contest_;
  runtime::ThreadTeam& team_;
  ContestMemory memory_;
  std::vector<runtime::EntryFunction> functions_;
  std::size_t round_ = 0, runs_ = 0;
  Windows windows_;
};

}  // namespace

double Runner::elapsed() const { return std::chrono::duration<double>(Clock::now() - *began_).count(); }

void Runner::report() const {
  if (progress_) progress_(std::min(elapsed() / seconds_, 1.0));
}

std::string Runner::build(const Contest& contest) {
  if (!toolchain_) toolchain_ = compile::Toolchain::find(*contest.machine);
  return toolchain_->build(contest.units, cache_folder() / "objects", machine::allowed_threads(),
                           [&](double) { report(); });
}

runtime::ThreadTeam& Runner::team(int threads) {
  if (!team_ || team_->size() != threads) team_.emplace(threads);
  return *team_;
}

Rounds Runner::run(const Contest& contest) {
  if (!began_) began_ = Clock::now();
  const double begin = elapsed();
  if (begin >= seconds_) return {};
  const double end = begin + (seconds_ - begin) * contest.share;
  const std::string code = build(contest);
  const runtime::CodeLibrary library(std::as_bytes(std::span(code)), "a candidate's code");
  Candidates candidates(contest, library, team(contest.threads));
  candidates.run_round();
  for (std::size_t round = 0; round < kMostRounds; ++round) {
    if (round >= compile::kFewestRounds && elapsed() >= end) break;
    candidates.run_round();
    report();
  }
  return seconds_of(candidates.windows());
}

}  // namespace strata::tune
