// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cli/console.h"
#include "compile/compile.h"
#include "ranks/communicator.h"
#include "ranks/watch.h"
#include "runtime/session.h"

namespace strata::cli {

// The processes that mpirun started, which run models together. Rank 0 does what the command line says; the others do
// with it what concerns all: they compile, each its own package, open sessions, and compute what rank 0's sessions do.
class RankGroup {
 public:
  // Of this process; null where it runs alone. Throws resource_error where MPI is missing.
  static std::unique_ptr<RankGroup> start();
  static RankGroup* current();
  ~RankGroup();
  RankGroup(const RankGroup&) = delete;
  RankGroup& operator=(const RankGroup&) = delete;

  int rank() const { return communicator_.rank(); }
  int size() const { return communicator_.size(); }
  const ranks::Communicator& communicator() const { return communicator_; }

  // On all ranks but 0: until rank 0 ends.
  void follow();

  // This rank's own failure, in one line; the others end with it.
  void fail(Console& console, const std::string& what);

  // Compiles on all ranks, each for itself; the report's package is this one's. Throws what failed on any of them.
  compile::CompileReport compile(const std::filesystem::path& model, const compile::CompileOptions& options,
                                 const compile::Progress& progress);

  // Opens the package on all ranks, each its own.
  std::unique_ptr<runtime::Session> open(const std::filesystem::path& package, const runtime::SessionOptions& options);

 private:
  RankGroup(std::unique_ptr<ranks::Transport> transport, int on_this_machine);

  int threads(int asked) const;
  void tell(runtime::Order order, const std::string& text);
  std::string hear(const runtime::Order& order);
  void together(const std::function<void()>& body);
  static void tried(const std::function<void()>& body);
  compile::CompileReport compile_own(const std::string& request, const compile::Progress& progress);
  std::unique_ptr<runtime::Session> open_own(const runtime::Order& order, const std::string& request);
  void require_alike();

  ranks::Communicator communicator_;
  const int on_this_machine_;
  std::vector<std::filesystem::path> packages_;                // that were compiled, in order
  std::map<int, std::unique_ptr<runtime::Session>> sessions_;  // of a rank that follows, by id
  int next_session_ = 0;
  std::unique_ptr<ranks::Watch> watch_;
  std::string opened_;  // what the package that was opened last has in common with the other ranks' ones
};

// Where mpirun started several processes: `run`, which gives an exit code, on rank 0, while the others follow it. Else
// `run` alone.
int run_ranks(Console& console, const std::function<int()>& run);

}  // namespace strata::cli
