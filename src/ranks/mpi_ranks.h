// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "ranks/transport.h"

namespace strata::ranks {

// What mpirun says of a process that it started, in its environment.
struct Started {
  int rank = 0;
  int size = 1;
  int on_this_machine = 1;  // of them
};

// Nothing where no mpirun of several processes started this one.
std::optional<Started> started_by_mpirun();

// The ranks that mpirun started; when it goes, MPI ends, for which all must go. Throws resource_error where the library
// or MPI is missing.
std::unique_ptr<Transport> mpi_ranks();

// Until the ranks watch each other (ranks/watch.h): sees, from a thread of its own, that a rank is waited for too long,
// or that MPI starts nowhere.
class StartGuard {
 public:
  static constexpr double kSilenceSeconds = 5, kStartSeconds = 60;

  // `lost` is called with what to say, where the program must end.
  explicit StartGuard(std::function<void(const std::string& what)> lost);
  ~StartGuard();
  StartGuard(const StartGuard&) = delete;
  StartGuard& operator=(const StartGuard&) = delete;

 private:
  std::mutex lock_;
  std::condition_variable ended_;
  bool is_over_ = false;
  std::thread thread_;
};

}  // namespace strata::ranks
