// SPDX-License-Identifier: Apache-2.0
#include "grammar/automaton.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/error.h"
#include "grammar/limits.h"

namespace strata::grammar {
namespace {

using EdgeKind = Program::Edge::Kind;

}  // namespace

Automaton::Automaton(const Program& program) : program_(program) {
  lists_.number_of({});
  place_of({});  // kNowhere
  const Item end{kEnd, 0}, leave{kLeave, 0};
  ends_ = lists_.number_of({&end, 1});
  leaves_ = lists_.number_of({&leave, 1});
  const Program::RuleInfo& root = program.rules[program.root];
  // As if an edge had called the root, behind which is the end.
  if (root.is_nullable) add(end);
  calls_.push_back({root.rank, program.root, end});
  start_ = close();
}

std::size_t Automaton::bytes() const {
  constexpr std::size_t kPlaceBytes = sizeof(Place) + 48;  // with its entry in the map
  return lists_.bytes() + steps_.size() * sizeof(std::uint32_t) + places_.size() * kPlaceBytes;
}

std::uint32_t Automaton::step(std::uint32_t place, std::uint8_t byte) {
  std::vector<Item> next;
  for (const Item& item : items(place)) {
    ++work_;
    if (!is_state(item.state)) continue;
    for (const Program::Edge& edge : program_.edges_of(item.state)) {
      if (edge.kind == EdgeKind::kBytes && edge.first <= byte && byte <= edge.last) {
        next.push_back({edge.target, item.returns});
      }
    }
  }
  for (const Item& item : next) add(item);
  const std::uint32_t found = next.empty() ? kNowhere : close();
  steps_[place * program_.byte_classes + program_.byte_class[byte]] = found;
  return found;
}

std::uint32_t Automaton::part(std::span<const std::uint32_t> states) {
  for (const std::uint32_t state : states) add({state, leaves_});
  return close();
}

void Automaton::add(Item item) {
  const std::uint64_t key = (static_cast<std::uint64_t>(item.state) << 32) | item.returns;
  if (!is_found_.insert(key).second) return;
  if (found_.size() >= kMaxItems) give_up();
  found_.push_back(item);
}

void Automaton::give_up() {
  found_.clear(), is_found_.clear(), calls_.clear();
  throw usage_error("the grammar is too ambiguous for this text", "let fewer of its rules fit at once");
}

void Automaton::call(const Program::Edge& edge, Item from) {
  const Program::RuleInfo& rule = program_.rules[edge.rule];
  if (rule.is_nullable) add({edge.target, from.returns});
  const auto push = [&](Item back) {
    if (calls_.size() >= kMaxItems) give_up();
    ++work_;
    calls_.push_back({rule.rank, edge.rule, back});
    std::ranges::push_heap(calls_, std::ranges::greater(), &Call::rank);
  };
  if (!program_.states[edge.target].is_last) return push({edge.target, from.returns});
  // The last call of a rule goes back to where the rule would: a list in right recursion takes no room.
  for (const Item& back : lists_[from.returns]) push(back);
}

// Of a rule that is called here and ends at once, what follows the call was added with the call.
void Automaton::follow(Item item, bool is_called) {
  ++work_;
  if (!is_state(item.state)) return;
  const Program::State& state = program_.states[item.state];
  if (state.is_final && !is_called) {
    for (std::size_t i = 0; i < lists_[item.returns].size(); ++i) add(lists_[item.returns][i]);
  }
  for (const Program::Edge& edge : program_.edges_of(item.state)) {
    if (edge.kind == EdgeKind::kEmpty) add({edge.target, item.returns});
    if (edge.kind == EdgeKind::kCall) call(edge, item);
  }
}

// The place of all that follows from what was added. Rules come by their ranks: when one does, all calls of it are
// known, and with them the list that it goes back to.
std::uint32_t Automaton::close() {
  std::size_t next = 0;
  for (; next < found_.size(); ++next) follow(found_[next], false);
  while (!calls_.empty()) {
    const std::uint32_t rule = calls_.front().rule;
    std::vector<Item> back;
    while (!calls_.empty() && calls_.front().rule == rule) {
      std::ranges::pop_heap(calls_, std::ranges::greater(), &Call::rank);
      back.push_back(calls_.back().back);
      calls_.pop_back();
    }
    std::ranges::sort(back);
    const auto doubles = std::ranges::unique(back);
    back.erase(doubles.begin(), doubles.end());
    add({program_.rules[rule].start, lists_.number_of(back)});
    for (; next < found_.size(); ++next) follow(found_[next], true);
  }
  is_found_.clear();
  if (bytes() > kMaxBytes) give_up();
  return place_of(std::exchange(found_, {}));
}

std::uint32_t Automaton::place_of(std::vector<Item> items) {
  std::erase_if(items,
                [&](const Item& item) { return is_state(item.state) && !program_.states[item.state].has_bytes; });
  std::ranges::sort(items);
  const std::uint32_t list = lists_.number_of(items);
  const auto [at, is_new] = place_of_items_.try_emplace(list, static_cast<std::uint32_t>(places_.size()));
  if (!is_new) return at->second;
  const auto has = [&](std::uint32_t state) { return std::ranges::find(items, state, &Item::state) != items.end(); };
  places_.push_back({.items = list, .accepts = has(kEnd), .leaves = has(kLeave)});
  steps_.resize(steps_.size() + program_.byte_classes, kUnknown);
  return at->second;
}

std::uint32_t Automaton::import(const Automaton& other, std::uint32_t place) {
  std::unordered_map<std::uint32_t, std::uint32_t> number_of = {{0, 0}};  // of the lists, here
  std::vector<std::uint32_t> open = {other.places_[place].items};
  while (!open.empty()) {
    const std::uint32_t list = open.back();
    if (number_of.contains(list)) {
      open.pop_back();
      continue;
    }
    std::vector<Item> items;
    bool is_ready = true;
    for (const Item& item : other.lists_[list]) {
      const auto found = number_of.find(item.returns);
      if (found == number_of.end()) {
        open.push_back(item.returns);
        is_ready = false;
      } else {
        items.push_back({item.state, found->second});
      }
    }
    if (!is_ready) continue;
    std::ranges::sort(items);
    number_of.emplace(list, lists_.number_of(items));
    open.pop_back();
  }
  const std::span<const Item> items = lists_[number_of.at(other.places_[place].items)];
  return place_of({items.begin(), items.end()});
}

}  // namespace strata::grammar
