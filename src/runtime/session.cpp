// SPDX-License-Identifier: Apache-2.0
#include "runtime/session.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/saturating.h"
#include "machine/cpu.h"
#include "machine/memory.h"
#include "package/package.h"
#include "runtime/code_library.h"
#include "runtime/page_table.h"
#include "runtime/program.h"
#include "runtime/team_sizer.h"
#include "runtime/thread_team.h"

namespace strata::runtime {
namespace {

constexpr std::int64_t kDefaultContext = 4096;
constexpr int kMaxThreads = 1024;

int choose_threads(const SessionOptions& options) {
  const int allowed = machine::allowed_threads();
  if (options.threads == 0) return allowed;
  if (options.threads < 0 || options.threads > kMaxThreads) {
    throw usage_error(std::to_string(options.threads) + " threads are not possible",
                      "give -t from 1 to " + std::to_string(kMaxThreads));
  }
  return options.fixed_team ? options.threads : std::min(options.threads, allowed);
}

std::int64_t choose_context(const SessionOptions& options, const package::Manifest& manifest,
                            const std::string& origin) {
  if (manifest.max_context < 1) throw model_error("the package has no context length", origin, "compile it again");
  if (options.context == 0) return std::min(manifest.max_context, kDefaultContext);
  if (options.context < 0 || options.context > manifest.max_context) {
    throw usage_error("the context can't be " + std::to_string(options.context) + " tokens, this model's is at most " +
                          std::to_string(manifest.max_context),
                      "pass -c " + std::to_string(manifest.max_context) + " or less");
  }
  return options.context;
}

std::string gigabytes(std::int64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f GB", static_cast<double>(bytes) / 1e9);
  return text;
}

package::Package open_checked(const std::filesystem::path& path, bool verify) {
  package::Package package = package::Package::open_verified(path, verify);
  require_processor(package.manifest(), path.string());
  return package;
}

std::string mesh_text(const std::vector<std::int64_t>& mesh) {
  std::string text;
  for (const std::int64_t extent : mesh) text += (text.empty() ? "" : " x ") + std::to_string(extent);
  return text;
}

// The package must be this rank's.
void require_rank(const package::Manifest& manifest, const ranks::Communicator* ranks, const std::string& origin) {
  if (ranks == nullptr && manifest.mesh.empty()) return;
  if (ranks == nullptr) {
    throw usage_error("the package is that of rank " + std::to_string(manifest.rank) + " of " +
                          mesh_text(manifest.mesh) + ", " + origin,
                      "run the model that it was made from with mpirun");
  }
  if (manifest.mesh.empty())
    throw usage_error("the package was compiled for one process, " + origin, "give the model that it was made from");
  const std::vector<std::int64_t> mesh(ranks->mesh().begin(), ranks->mesh().end());
  if (manifest.mesh == mesh && manifest.rank == ranks->rank()) return;
  throw usage_error("the package is that of rank " + std::to_string(manifest.rank) + " of " + mesh_text(manifest.mesh) +
                        ", not of rank " + std::to_string(ranks->rank()) + " of " + mesh_text(mesh) + ", " + origin,
                    "give the model that it was made from");
}

}  // namespace

struct Session::State {
  State(const std::filesystem::path& path, const SessionOptions& options)
      : package(open_checked(path, options.verify)),
        code(package.section(package::kCodeSection), path.string()),
        context(choose_context(options, package.manifest(), path.string())),
        program(package.manifest(), code, path.string(), {context, options.sequences, options.pool}),
        weights(package.section(package::kWeightsSection).data()),
        team(choose_threads(options)),
        sizer(team.size()),
        has_fixed_team(options.fixed_team),
        communicator(options.ranks),
        id(options.id) {
    code.require_contract(package.manifest());
    require_rank(package.manifest(), communicator, path.string());
    if (communicator != nullptr) program.set_group(&communicator->group());
    require_memory(path.string(), options.sequences);
    package.prefetch();
    program.allocate(team.size());
    positions.resize(static_cast<std::size_t>(options.sequences));
    together.reserve(positions.size());
    held.resize(program.is_paged() ? 0 : positions.size());
    for (auto& tokens : held) tokens.reserve(static_cast<std::size_t>(context));
    if (program.is_paged()) {
      pages.emplace(program.capacity() / PageTable::kRows, options.sequences, std::ssize(program.pages()));
    }
  }

  void require_memory(const std::string& origin, int sequences) const {
    const std::int64_t needed = program.bytes(team.size());
    const std::int64_t available = machine::available_memory();
    if (needed <= available) return;
    const std::string of_each = std::to_string(context) + " tokens";
    const std::string contexts = sequences == 1 ? "a context of " + of_each + " needs "
                                                : std::to_string(sequences) + " contexts of " + of_each + " need ";
    throw resource_error(contexts + gigabytes(needed) + " of memory, " + gigabytes(available) + " are available",
                         origin, sequences == 1 ? "pass a smaller -c" : "pass a smaller -c or -np");
  }

  std::int64_t& position() { return positions[sequence]; }
  std::int64_t position() const { return positions[sequence]; }

  // Rank 0 tells the others what it does next.
  bool leads() const { return communicator != nullptr && communicator->rank() == 0; }
  void tell(Order order) const {
    order.session = id;
    if (leads()) send(*communicator, order);
  }
  void head(std::int64_t first, std::int64_t rows);
  void tell_forward(std::int64_t count, Wanted wanted);
  void take_tokens(const Order& order);

  void check(std::span<const std::int32_t> tokens) const;
  void append(std::span<const std::int32_t> tokens);
  void forward(std::span<const std::int32_t> tokens, Wanted wanted);
  void set_row(std::int64_t row, std::int32_t token, std::int64_t place) const;
  void select(int number);
  bool gains_by_company(const Feed& feed) const;
  void feed_together(std::span<const Feed> feeds, std::span<const std::size_t> chosen, const TakeLogits& take);

  // A step of this many rows, whose parts are timed; the time between them is not the team's.
  TeamSizer::Step begin_step(std::int64_t rows, bool has_head);
  template <class Body>
  void timed(TeamSizer::Step& step, Body&& body);
  void end_step(const TeamSizer::Step& step);

  package::Package package;
  CodeLibrary code;
  std::int64_t context;
  Program program;
  const std::byte* weights;
  ThreadTeam team;
  TeamSizer sizer;
  const bool has_fixed_team;
  ranks::Communicator* const communicator;
  const int id;
  bool is_profiled = false;                     // the times of ops are those of the whole team
  std::vector<std::int64_t> positions;          // tokens in the cache, of each sequence
  std::size_t sequence = 0;                     // that is selected
  std::vector<std::vector<std::int32_t>> held;  // tokens in the cache, of each sequence; with pages these know them
  std::optional<PageTable> pages;               // that the sequences share
  std::int64_t hidden_row = 0;                  // of the logits that were computed last
  std::vector<std::size_t> together;            // feeds of a step whose rows are computed in one call
};

TeamSizer::Step Session::State::begin_step(std::int64_t rows, bool has_head) {
  const int ranks = has_fixed_team || is_profiled ? team.size() : sizer.size();
  if (ranks != team.active()) team.set_active(ranks);
  return {.kind = 2 * rows + (has_head ? 1 : 0)};
}

template <class Body>
void Session::State::timed(TeamSizer::Step& step, Body&& body) {
  const double waited_before = team.waited_s();
  const auto begin = std::chrono::steady_clock::now();
  body();
  step.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  step.waited_s += team.waited_s() - waited_before;
}

void Session::State::end_step(const TeamSizer::Step& step) {
  if (!has_fixed_team && !is_profiled) sizer.add(step);
}

void Session::State::check(std::span<const std::int32_t> tokens) const {
  const std::int64_t vocab = package.manifest().vocab_size;
  for (const std::int32_t token : tokens) {
    if (token < 0 || token >= vocab) {
      throw usage_error("token " + std::to_string(token) + " is not in the vocabulary of " + std::to_string(vocab));
    }
  }
  const std::int64_t count = static_cast<std::int64_t>(tokens.size());
  if (count <= context - position()) return;
  const std::int64_t total = position() + count;
  const std::string what = position() == 0 ? "the prompt has " + std::to_string(count) + " tokens"
                                           : "the sequence would have " + std::to_string(total) + " tokens";
  const std::int64_t limit = package.manifest().max_context;
  throw usage_error(what + ", the context holds " + std::to_string(context),
                    total <= limit ? "pass -c " + std::to_string(total) + " or more"
                                   : "shorten it: the model's context is at most " + std::to_string(limit));
}

// The sequence's next tokens, which are computed next.
void Session::State::append(std::span<const std::int32_t> tokens) {
  if (!pages) {
    held[sequence].insert(held[sequence].end(), tokens.begin(), tokens.end());
    return;
  }
  const PageTable::Appended appended = pages->append(static_cast<int>(sequence), tokens);
  if (!appended.has_room) {
    throw resource_error("the key/value cache of " + std::to_string(program.capacity()) + " tokens is full", "",
                         "end other sequences first");
  }
  if (appended.copy) program.copy_page(appended.copy->from, appended.copy->to);
}

// A row of the next forward: a token of the sequence at a place of it.
void Session::State::set_row(std::int64_t row, std::int32_t token, std::int64_t place) const {
  const auto at = static_cast<std::size_t>(row);
  program.tokens()[at] = token;
  program.positions()[at] = static_cast<std::int32_t>(place);
  if (pages) program.rows()[at] = pages->row(static_cast<int>(sequence), place);
}

// Where one row is wanted, which is the last token's, they come from the last one to the first.
void Session::State::forward(std::span<const std::int32_t> tokens, Wanted wanted) {
  const auto count = static_cast<std::int64_t>(tokens.size());
  append(tokens);
  for (std::int64_t row = 0; row < count; ++row) {
    const std::int64_t token = wanted == Wanted::kOne ? count - 1 - row : row;
    set_row(row, tokens[static_cast<std::size_t>(token)], position() + token);
  }
  if (pages) std::ranges::copy(pages->of(static_cast<int>(sequence)), program.pages().begin());
  tell_forward(count, wanted);
  program.forward(team, weights, count, wanted);
  position() += count;
  hidden_row = 0;
}

void Session::State::select(int number) {
  STRATA_CHECK(number >= 0 && static_cast<std::size_t>(number) < positions.size(), "no such sequence");
  if (sequence != static_cast<std::size_t>(number)) tell({.kind = Order::kSelect, .first = number});
  sequence = static_cast<std::size_t>(number);
  program.select(number);
}

// In company each token reads the keys and values before it by itself, which several of one sequence would read once;
// the weights are what is then read once less.
bool Session::State::gains_by_company(const Feed& feed) const {
  const std::int64_t rows = (std::ssize(feed.tokens) - 1) * positions[static_cast<std::size_t>(feed.sequence)];
  return saturating_product(rows, program.state_bytes() / program.capacity()) <= package.manifest().weight_bytes;
}

// The rows of several feeds in one call. The last tokens of those that want logits come first.
void Session::State::feed_together(std::span<const Feed> feeds, std::span<const std::size_t> chosen,
                                   const TakeLogits& take) {
  std::int64_t wanted = 0, rows = 0;
  for (const std::size_t i : chosen) {
    wanted += feeds[i].wants_logits ? 1 : 0;
    rows += std::ssize(feeds[i].tokens);
  }
  std::int64_t first = 0, other = wanted;
  for (const std::size_t i : chosen) {
    const Feed& feed = feeds[i];
    select(feed.sequence);
    append(feed.tokens);
    for (std::size_t j = 0; j < feed.tokens.size(); ++j) {
      const bool is_wanted = feed.wants_logits && j + 1 == feed.tokens.size();
      const std::int64_t row = is_wanted ? first++ : other++;
      set_row(row, feed.tokens[j], position() + static_cast<std::int64_t>(j));
      std::ranges::copy(pages->of(feed.sequence), program.pages_each(row).begin());
    }
  }
  TeamSizer::Step step = begin_step(rows, wanted > 0);
  timed(step, [&] { program.forward_each(team, weights, rows); });
  for (const std::size_t i : chosen)
    positions[static_cast<std::size_t>(feeds[i].sequence)] += std::ssize(feeds[i].tokens);
  auto next = chosen.begin();
  for (std::int64_t done = 0; done < wanted;) {
    const std::int64_t count = program.head_rows(wanted - done);
    timed(step, [&] { program.head(team, weights, done, count); });
    const auto vocabulary = static_cast<std::size_t>(package.manifest().vocab_size);
    for (std::int64_t row = 0; row < count; ++row) {
      while (!feeds[*next].wants_logits) ++next;
      hidden_row = done + row;
      take(*next++, program.logits().subspan(static_cast<std::size_t>(row) * vocabulary, vocabulary));
    }
    done += count;
  }
  end_step(step);
}

void Session::State::tell_forward(std::int64_t count, Wanted wanted) {
  if (!leads()) return;
  Order order{.kind = Order::kForward, .rows = count, .wanted = static_cast<std::int64_t>(wanted)};
  const auto size = static_cast<std::size_t>(count);
  const auto tokens = program.tokens().first(size), places = program.positions().first(size);
  if (count <= Order::kOwnTokens) {
    std::ranges::copy(tokens, order.tokens);
    std::ranges::copy(places, order.positions);
  }
  tell(order);
  if (count <= Order::kOwnTokens) return;
  communicator->broadcast(std::as_writable_bytes(tokens));
  communicator->broadcast(std::as_writable_bytes(places));
}

// Of what tell_forward() has told.
void Session::State::take_tokens(const Order& order) {
  STRATA_CHECK(order.rows >= 0 && order.rows <= program.chunk(), "more tokens than a call takes");
  const auto size = static_cast<std::size_t>(order.rows);
  const auto tokens = program.tokens().first(size), places = program.positions().first(size);
  if (order.rows <= Order::kOwnTokens) {
    std::copy_n(order.tokens, size, tokens.begin());
    std::copy_n(order.positions, size, places.begin());
    return;
  }
  communicator->broadcast(std::as_writable_bytes(tokens));
  communicator->broadcast(std::as_writable_bytes(places));
}

void Session::State::head(std::int64_t first, std::int64_t rows) {
  tell({.kind = Order::kHead, .rows = rows, .first = first});
  program.head(team, weights, first, rows);
}

Session::Session(std::unique_ptr<State> state) : state_(std::move(state)) {}

Session::~Session() {
  if (state_ != nullptr) state_->tell({.kind = Order::kClose});
}

std::unique_ptr<Session> Session::open(const std::filesystem::path& package, const SessionOptions& options) {
  return std::unique_ptr<Session>(new Session(std::make_unique<State>(package, options)));
}

const package::Manifest& Session::manifest() const { return state_->package.manifest(); }

std::int64_t Session::context() const { return state_->context; }

std::int64_t Session::position() const { return state_->position(); }

std::int64_t Session::chunk() const { return state_->program.chunk(); }

void Session::select(int sequence) { state_->select(sequence); }

Session::Begun Session::begin(std::span<const int> ended, std::span<const std::int32_t> tokens) {
  State& state = *state_;
  STRATA_CHECK(!ended.empty(), "no sequence is ended");
  if (state.pages) {
    state.select(ended.front());
    state.position() = state.pages->begin(ended.front(), tokens);
    return {ended.front(), state.position()};
  }
  const auto same = [&](int sequence) {
    const std::vector<std::int32_t>& held = state.held[static_cast<std::size_t>(sequence)];
    return std::ranges::mismatch(held, tokens).in1 - held.begin();
  };
  int best = ended.front();
  std::int64_t longest = 0;
  for (const int sequence : ended) {
    const std::int64_t prefix = same(sequence);
    if (prefix <= longest || 2 * prefix < std::ssize(state.held[static_cast<std::size_t>(sequence)])) continue;
    longest = prefix;
    best = sequence;
  }
  state.select(best);
  rewind(same(best));
  return {best, state.position()};
}

// Of a sequence without pages nobody else takes what it holds.
void Session::end(int sequence) {
  State& state = *state_;
  if (!state.pages) return;
  state.pages->release(sequence);
  state.positions[static_cast<std::size_t>(sequence)] = 0;
}

int Session::threads() const { return state_->team.size(); }

std::string_view Session::section(std::string_view name) const { return state_->package.text(name); }

std::span<const float> Session::feed(std::span<const std::int32_t> tokens,
                                     const std::function<void(std::int64_t)>& progress,
                                     const std::function<bool()>& stop) {
  State& state = *state_;
  state.check(tokens);
  std::int64_t rows = 0;
  for (std::size_t done = 0; done < tokens.size();) {
    if (done != 0 && stop && stop()) return {};
    rows = state.program.forward_rows(static_cast<std::int64_t>(tokens.size() - done));
    const bool is_last = done + static_cast<std::size_t>(rows) == tokens.size();
    TeamSizer::Step step = state.begin_step(rows, is_last);
    state.timed(step, [&] {
      state.forward(tokens.subspan(done, static_cast<std::size_t>(rows)), is_last ? Wanted::kOne : Wanted::kNone);
      if (is_last) state.head(0, 1);
    });
    state.end_step(step);
    done += static_cast<std::size_t>(rows);
    if (progress) progress(static_cast<std::int64_t>(done));
  }
  if (tokens.empty()) return {};
  return state.program.logits().first(static_cast<std::size_t>(manifest().vocab_size));
}

std::span<const float> Session::hidden() const { return state_->program.hidden(state_->hidden_row); }

// What one call takes is computed in one, unless a feed is sooner done by itself.
void Session::step(std::span<const Feed> feeds, const TakeLogits& take) {
  State& state = *state_;
  for (const Feed& feed : feeds) {
    state.select(feed.sequence);
    state.check(feed.tokens);
  }
  state.together.clear();
  std::int64_t rows = 0;
  for (std::size_t i = 0; i < feeds.size(); ++i) {
    const auto count = std::ssize(feeds[i].tokens);
    if (count == 0 || rows + count > state.program.each_rows() || !state.gains_by_company(feeds[i])) continue;
    state.together.push_back(i);
    rows += count;
  }
  const bool is_together = state.together.size() > 1;
  if (is_together) state.feed_together(feeds, state.together, take);
  for (std::size_t i = 0; i < feeds.size(); ++i) {
    if (is_together && std::ranges::find(state.together, i) != state.together.end()) continue;
    state.select(feeds[i].sequence);
    if (feeds[i].wants_logits) {
      take(i, feed(feeds[i].tokens));
    } else {
      feed_all(feeds[i].tokens, {});
    }
  }
}

void Session::feed_all(std::span<const std::int32_t> tokens,
                       const std::function<void(std::span<const float> rows, std::int64_t count)>& rows) {
  State& state = *state_;
  state.check(tokens);
  while (!tokens.empty()) {
    const std::int64_t chunk = state.program.forward_rows(static_cast<std::int64_t>(tokens.size()));
    TeamSizer::Step step = state.begin_step(chunk, static_cast<bool>(rows));
    state.timed(step, [&] {
      state.forward(tokens.first(static_cast<std::size_t>(chunk)), rows ? Wanted::kAll : Wanted::kNone);
    });
    tokens = tokens.subspan(static_cast<std::size_t>(chunk));
    for (std::int64_t first = 0; rows && first < chunk;) {
      const std::int64_t count = state.program.head_rows(chunk - first);
      state.timed(step, [&] { state.head(first, count); });
      rows(state.program.logits().first(static_cast<std::size_t>(count * manifest().vocab_size)), count);
      first += count;
    }
    state.end_step(step);
  }
}

void Session::set_profile(Profile* profile) {
  state_->program.set_profile(profile);
  state_->is_profiled = profile != nullptr;
}

void Session::obey(const Order& order) {
  State& state = *state_;
  switch (order.kind) {
    case Order::kSelect:
      return select(static_cast<int>(order.first));
    case Order::kForward:
      state.take_tokens(order);
      return state.program.forward(state.team, state.weights, order.rows, static_cast<Wanted>(order.wanted));
    case Order::kHead:
      return state.head(order.first, order.rows);
    default:
      STRATA_CHECK(false, "no order for a session");
  }
}

std::vector<std::span<const std::byte>> Session::working_memory() const { return state_->program.written(); }

void Session::rewind(std::int64_t position) {
  State& state = *state_;
  STRATA_CHECK(position >= 0 && position <= state.position(), "rewind beyond the sequence");
  state.position() = position;
  if (state.pages) {
    state.pages->truncate(static_cast<int>(state.sequence), position);
  } else {
    state.held[state.sequence].resize(static_cast<std::size_t>(position));
  }
}

}  // namespace strata::runtime
