// SPDX-License-Identifier: Apache-2.0
#include "cli/rank_group.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <exception>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.h"
#include "cli/failure.h"
#include "cli/signals.h"
#include "machine/cpu.h"
#include "package/package.h"
#include "ranks/mpi_ranks.h"

namespace strata::cli {
namespace {

using Json = nlohmann::json;
using runtime::Order;

RankGroup* current_group = nullptr;

// How a rank fared.
struct Outcome {
  std::int32_t code = 0;
  std::array<char, 508> text = {};

  bool is_good() const { return code == 0; }
  void fail(ExitCode of, const std::string& what) {
    code = static_cast<std::int32_t>(of);
    std::copy_n(what.begin(), std::min(what.size(), text.size() - 1), text.begin());
  }
};

Outcome outcome_of(const std::function<void()>& body) {
  Outcome outcome;
  try {
    body();
  } catch (const Error& error) {
    outcome.fail(error.code(), error.what());
  } catch (const std::bad_alloc&) {
    outcome.fail(ExitCode::kResource, "out of memory");
  } catch (const std::exception& error) {
    outcome.fail(ExitCode::kRuntime, error.what());
  }
  return outcome;
}

// What all ranks of a session must have alike: all but the weights, which are parts.
std::string alike(package::Manifest manifest) {
  manifest.weights.clear();
  manifest.rank = 0;
  manifest.weight_bytes = 0;
  return package::contract_of(std::move(manifest));
}

// By the watch's thread, whatever the others are at.
void end_without(const std::string& what) {
  // Who starts them has told all of them to end.
  if (const int signal = pending_signal(); signal != 0) leave(128 + signal);
  if (!what.empty()) {
    take_last_word();
    FailureLine(what, "the other ranks end").print();
  }
  leave(static_cast<int>(ExitCode::kRuntime));
}

}  // namespace

std::unique_ptr<RankGroup> RankGroup::start() {
  const auto started = ranks::started_by_mpirun();
  if (!started) return nullptr;
  const ranks::StartGuard guard(end_without);
  return std::unique_ptr<RankGroup>(new RankGroup(ranks::mpi_ranks(), started->on_this_machine));
}

RankGroup* RankGroup::current() { return current_group; }

RankGroup::RankGroup(std::unique_ptr<ranks::Transport> transport, int on_this_machine)
    : communicator_(std::move(transport)), on_this_machine_(on_this_machine) {
  watch_ = std::make_unique<ranks::Watch>(communicator_, end_without);
  current_group = this;
}

void RankGroup::fail(Console& console, const std::string& what) {
  watch_->tell_failure();
  console.failure("rank " + std::to_string(rank()) + ": " + what, "");
  leave(static_cast<int>(ExitCode::kRuntime));
}

RankGroup::~RankGroup() {
  current_group = nullptr;
  sessions_.clear();
  if (rank() == 0) runtime::send(communicator_, {.kind = Order::kEnd});
}

// Processes that share a machine share its threads, unless mpirun gave each its own.
int RankGroup::threads(int asked) const {
  const int allowed = machine::allowed_threads();
  if (asked > 0) return asked;
  const bool has_own = std::int64_t{allowed} * on_this_machine_ <= ::sysconf(_SC_NPROCESSORS_ONLN);
  return has_own ? allowed : std::max(1, allowed / on_this_machine_);
}

void RankGroup::tell(Order order, const std::string& text) {
  order.rows = std::ssize(text);
  runtime::send(communicator_, order);
  std::string sent = text;
  communicator_.broadcast(std::as_writable_bytes(std::span(sent)));
}

std::string RankGroup::hear(const Order& order) {
  std::string text(static_cast<std::size_t>(order.rows), '\0');
  communicator_.broadcast(std::as_writable_bytes(std::span(text)));
  return text;
}

// Does it on this rank while others do it on theirs. Throws on all of them what failed on the first one that failed.
void RankGroup::together(const std::function<void()>& body) {
  Outcome own = outcome_of(body);
  std::vector<Outcome> all(rank() == 0 ? static_cast<std::size_t>(size()) : 0);
  communicator_.gather(std::as_bytes(std::span(&own, 1)), std::as_writable_bytes(std::span(all)));
  const auto failed = std::ranges::find_if(all, [](const Outcome& outcome) { return !outcome.is_good(); });
  if (failed != all.end()) {
    own = *failed;
    // A line of a rank's own is the same as rank 0's would be, or names what only that one lacks.
    const std::string who = failed == all.begin() ? "" : "rank " + std::to_string(failed - all.begin()) + ": ";
    own.fail(static_cast<ExitCode>(own.code), who + failed->text.data());
  }
  communicator_.broadcast(std::as_writable_bytes(std::span(&own, 1)));
  if (!own.is_good()) throw Error(static_cast<ExitCode>(own.code), own.text.data());
}

compile::CompileReport RankGroup::compile(const std::filesystem::path& model, const compile::CompileOptions& options,
                                          const compile::Progress& progress) {
  const Json request = {{"model", model.string()},    {"cache_type", options.cache_type}, {"machine", options.machine},
                        {"threads", options.threads}, {"team", threads(options.threads)}, {"verify", options.verify}};
  const std::string text = request.dump(-1, ' ', false, Json::error_handler_t::replace);
  tell({.kind = Order::kCompile}, text);
  compile::CompileReport report;
  together([&] { report = compile_own(text, progress); });
  return report;
}

compile::CompileReport RankGroup::compile_own(const std::string& request, const compile::Progress& progress) {
  const Json asked = Json::parse(request);
  compile::CompileOptions options;
  options.cache_type = asked.at("cache_type").get<std::string>();
  options.machine = asked.at("machine").get<std::string>();
  options.threads = asked.at("threads").get<int>();
  options.team = asked.at("team").get<int>();
  options.verify = asked.at("verify").get<bool>();
  options.ranks = size();
  options.rank = rank();
  auto report = compile::compile_cached(asked.at("model").get<std::string>(), options, progress);
  packages_.push_back(report.package);
  return report;
}

std::unique_ptr<runtime::Session> RankGroup::open(const std::filesystem::path& package,
                                                  const runtime::SessionOptions& options) {
  const auto known = std::ranges::find(packages_, package);
  STRATA_CHECK(known != packages_.end(), "the ranks didn't compile this package");
  const Json request = {{"threads", threads(options.threads)},
                        {"context", options.context},
                        {"verify", options.verify},
                        {"fixed_team", options.fixed_team},
                        {"sequences", options.sequences}};
  const Order order{.kind = Order::kOpen, .session = next_session_++, .first = known - packages_.begin()};
  tell(order, request.dump());
  std::unique_ptr<runtime::Session> session;
  together([&] { session = open_own(order, request.dump()); });
  require_alike();
  return session;
}

std::unique_ptr<runtime::Session> RankGroup::open_own(const Order& order, const std::string& request) {
  const Json asked = Json::parse(request);
  const std::filesystem::path& path = packages_.at(static_cast<std::size_t>(order.first));
  const package::Manifest manifest = package::Package::open(path).manifest();
  std::vector<int> mesh(manifest.mesh.begin(), manifest.mesh.end());
  std::int64_t devices = 1;
  for (const int extent : mesh) devices *= extent;
  if (devices == size()) communicator_.set_mesh(std::move(mesh));
  runtime::SessionOptions options;
  options.threads = asked.at("threads").get<int>();
  options.context = asked.at("context").get<std::int64_t>();
  options.verify = asked.at("verify").get<bool>();
  options.fixed_team = asked.at("fixed_team").get<bool>();
  options.sequences = asked.at("sequences").get<int>();
  options.ranks = &communicator_;
  options.id = order.session;
  opened_ = alike(manifest);
  return runtime::Session::open(path, options);
}

// The ranks' packages are parts of one program.
void RankGroup::require_alike() {
  std::string first = opened_;
  communicator_.broadcast(std::as_writable_bytes(std::span(first)));
  together([&] {
    if (opened_ == first) return;
    throw resource_error("it plans otherwise than rank 0", "", "run ranks on machines of one kind, of one build");
  });
}

// What fails on any rank ends rank 0's work, which then says what comes next.
void RankGroup::tried(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error&) {
  }
}

void RankGroup::follow() {
  while (true) {
    const Order order = runtime::receive(communicator_);
    switch (order.kind) {
      case Order::kEnd:
        return;
      case Order::kCompile: {
        const std::string request = hear(order);
        tried([&] { together([&] { compile_own(request, {}); }); });
        break;
      }
      case Order::kOpen: {
        const std::string request = hear(order);
        tried([&] {
          together([&] { sessions_[order.session] = open_own(order, request); });
          require_alike();
        });
        break;
      }
      case Order::kClose:
        sessions_.erase(order.session);
        break;
      default:
        sessions_.at(order.session)->obey(order);
    }
  }
}

int run_ranks(Console& console, const std::function<int()>& run) {
  const auto started = ranks::started_by_mpirun();
  std::unique_ptr<RankGroup> group;
  try {
    group = RankGroup::start();
  } catch (const Error& error) {
    // All ranks lack the same.
    if (started->rank == 0) console.failure(error.what(), "");
    return static_cast<int>(error.code());
  }
  if (group == nullptr) return run();
  if (group->rank() == 0) {
    const int code = run();
    std::string sent;
    for (const std::int64_t bytes : group->communicator().sent_bytes())
      sent += (sent.empty() ? "" : " and ") + std::to_string(bytes);
    console.detail("rank 0 of " + std::to_string(group->size()) + " has sent " + sent + " bytes to others");
    return code;
  }
  try {
    group->follow();
  } catch (const std::exception& error) {
    group->fail(console, error.what());
  }
  return static_cast<int>(ExitCode::kOk);
}

}  // namespace strata::cli
