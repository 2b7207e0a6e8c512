// SPDX-License-Identifier: Apache-2.0
#include "ranks/mpi_ranks.h"

#include <dlfcn.h>

#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "ranks/mpi/interface.h"

namespace strata::ranks {
namespace {

namespace fs = std::filesystem;

constexpr int kMostRanks = 1 << 20;

std::optional<int> number(const char* name) {
  const char* const value = std::getenv(name);
  if (value == nullptr) return std::nullopt;
  const std::string_view text = value;
  int parsed = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), parsed);
  if (error != std::errc() || end != text.data() + text.size() || parsed < 0 || parsed > kMostRanks)
    return std::nullopt;
  return parsed;
}

// Messages of up to 128 KiB go without a handshake: an all-reduce of 16 KiB takes 3.0 us in place of 8.1 (Open MPI
// 4.1.4, two ranks of one machine).
void set_eager_limit() { ::setenv("OMPI_MCA_btl_vader_eager_limit", "131072", 0); }

// SIGBUS is the program's own: a mapped file was cut. MPI's usual list has it too.
void keep_own_signals() { ::setenv("OMPI_MCA_opal_signal", "6,8,11", 0); }

// Beside the program, or in the folder of libraries beside that.
void* open_library(std::string& problem) {
  std::error_code ignored;
  const fs::path folder = fs::read_symlink("/proc/self/exe", ignored).parent_path();
  for (const fs::path& path : {folder / kMpiLibrary, folder.parent_path() / "lib" / kMpiLibrary}) {
    if (!fs::exists(path, ignored)) continue;
    // MPI's own libraries look for its symbols among the global ones.
    if (void* const library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL)) return library;
    problem = ::dlerror();
    return nullptr;
  }
  problem = std::string(kMpiLibrary) + " is not beside the program, which was built without MPI";
  return nullptr;
}

using Clock = std::chrono::steady_clock;

// Which rank this one waits for, and since when; -1: none.
std::atomic<int> waiting_for = -1;
std::atomic<Clock::rep> waiting_since = 0;
std::atomic<bool> has_started = false;

double seconds_since(Clock::rep begin) {
  return std::chrono::duration<double>(Clock::now().time_since_epoch() - Clock::duration(begin)).count();
}

class MpiRank : public Transport {
 public:
  MpiRank() {
    set_eager_limit();
    keep_own_signals();
    std::string problem;
    void* const library = open_library(problem);
    const void* const symbol = library == nullptr ? nullptr : ::dlsym(library, kMpiSymbol);
    functions_ = static_cast<const MpiFunctions*>(symbol);
    if (library != nullptr && (functions_ == nullptr || functions_->version != MpiFunctions{}.version))
      problem = std::string(kMpiLibrary) + " is of another version";
    char error[128] = "";
    if (problem.empty() && !functions_->start(&rank_, &size_, error, sizeof error)) problem = error;
    has_started = problem.empty();
    if (has_started) return;
    throw resource_error("several ranks need MPI: " + problem, "",
                         "install Open MPI (scripts/setup.sh --mpi) and build again, or leave out mpirun");
  }
  ~MpiRank() override { functions_->end(); }

  int rank() const override { return rank_; }
  int size() const override { return size_; }

  void exchange(int to, std::span<const std::byte> send, int from, std::span<std::byte> receive) override {
    waiting_since = Clock::now().time_since_epoch().count();
    waiting_for = from >= 0 ? from : to;
    functions_->exchange(to, send.data(), send.size(), from, receive.data(), receive.size());
    waiting_for = -1;
  }

 private:
  const MpiFunctions* functions_ = nullptr;
  int rank_ = 0, size_ = 1;
};

}  // namespace

std::optional<Started> started_by_mpirun() {
  std::optional<int> size = number("OMPI_COMM_WORLD_SIZE"), rank = number("OMPI_COMM_WORLD_RANK");
  std::optional<int> local = number("OMPI_COMM_WORLD_LOCAL_SIZE");
  if (!size || !rank) {
    size = number("PMI_SIZE"), rank = number("PMI_RANK");
    local = number("MPI_LOCALNRANKS");
  }
  if (!size || !rank || *size < 2 || *rank >= *size) return std::nullopt;
  return Started{*rank, *size, local.value_or(*size)};
}

StartGuard::StartGuard(std::function<void(const std::string& what)> lost)
    : thread_([this, lost = std::move(lost)] {
        const Clock::rep begin = Clock::now().time_since_epoch().count();
        std::unique_lock lock(lock_);
        while (!ended_.wait_for(lock, std::chrono::milliseconds(200), [&] { return is_over_; })) {
          const int rank = waiting_for;
          if (!has_started && seconds_since(begin) > kStartSeconds) return lost("MPI doesn't start on all ranks");
          if (rank >= 0 && seconds_since(waiting_since) > kSilenceSeconds)
            return lost("rank " + std::to_string(rank) + " doesn't answer");
        }
      }) {}

StartGuard::~StartGuard() {
  {
    const std::lock_guard lock(lock_);
    is_over_ = true;
  }
  ended_.notify_all();
  thread_.join();
}

std::unique_ptr<Transport> mpi_ranks() { return std::make_unique<MpiRank>(); }

}  // namespace strata::ranks
