// SPDX-License-Identifier: Apache-2.0
#include "grammar/masked_automaton.h"

#include <algorithm>
#include <string>

#include "base/error.h"
#include "grammar/limits.h"

namespace strata::grammar {

std::uint32_t MaskedAutomaton::next(std::uint32_t place, std::string_view bytes) {
  const std::lock_guard lock(mutex_);
  const std::size_t begin = automaton_.work();
  for (const char c : bytes) {
    place = automaton_.next(place, static_cast<std::uint8_t>(c));
    check_work(begin);
    if (place == Automaton::kNowhere) break;
  }
  return place;
}

bool MaskedAutomaton::accepts(std::uint32_t place) {
  const std::lock_guard lock(mutex_);
  return automaton_.accepts(place);
}

TokenMask MaskedAutomaton::mask(std::uint32_t place, const TokenBytes& tokens) {
  const std::lock_guard lock(mutex_);
  return whole_mask(place, tokens);
}

bool MaskedAutomaton::is_full() {
  const std::lock_guard lock(mutex_);
  return automaton_.bytes() + mask_bytes_ > kMaxKeptBytes;
}

std::uint32_t MaskedAutomaton::import(MaskedAutomaton& other, std::uint32_t place) {
  const std::scoped_lock lock(mutex_, other.mutex_);
  return automaton_.import(other.automaton_, place);
}

void MaskedAutomaton::check_work(std::size_t begin) const {
  if (automaton_.work() - begin <= kMaxMaskWork) return;
  throw usage_error("the grammar is too ambiguous for this text", "let fewer of its rules fit at once");
}

// Of the items that go back to the same list, the states are a part.
const TokenMask& MaskedAutomaton::whole_mask(std::uint32_t place, const TokenBytes& tokens) {
  if (const auto known = masks_.find({&tokens, place}); known != masks_.end()) return known->second;
  std::map<std::uint32_t, std::vector<std::uint32_t>> groups;
  for (const Item& item : automaton_.items(place)) groups[item.returns].push_back(item.state);
  groups.erase(0);  // the end
  TokenMask out(tokens.vocabulary());
  std::vector<std::uint32_t> leaving;
  for (const auto& [returns, states] : groups) {
    const Part& of_group = part(automaton_.part(states), tokens);
    out.add(of_group.mask);
    if (!of_group.is_whole) leaving = {0};
    if (leaving.empty() || leaving.front() != 0) {
      leaving.insert(leaving.end(), of_group.leaving.begin(), of_group.leaving.end());
    }
  }
  std::ranges::sort(leaving);
  std::uint32_t done = 0;  // nodes before it
  for (const std::uint32_t node : leaving) {
    if (node < done) continue;
    done = tokens.nodes()[node].end;
    const std::uint32_t at = place_at(node, place, tokens);
    if (at != Automaton::kNowhere) add_below(node, at, tokens, out);
  }
  mask_bytes_ += out.bytes();
  return masks_.emplace(Key{&tokens, place}, std::move(out)).first->second;
}

std::uint32_t MaskedAutomaton::place_at(std::uint32_t node, std::uint32_t place, const TokenBytes& tokens) {
  std::string bytes;
  for (; node != 0; node = tokens.nodes()[node].parent) bytes.push_back(static_cast<char>(tokens.nodes()[node].byte));
  std::ranges::reverse(bytes);
  for (const char c : bytes) place = automaton_.next(place, static_cast<std::uint8_t>(c));
  return place;
}

// Adds the tokens below a node at which the place is this one.
void MaskedAutomaton::add_below(std::uint32_t node, std::uint32_t place, const TokenBytes& tokens, TokenMask& out) {
  const std::span<const TokenBytes::Node> nodes = tokens.nodes();
  const std::size_t begin = automaton_.work();
  path_.resize(tokens.deepest() + 1);
  path_[nodes[node].depth] = place;
  for (std::uint32_t i = node + 1; i < nodes[node].end;) {
    const std::uint32_t at = automaton_.next(path_[nodes[i].depth - 1U], nodes[i].byte);
    if (at == Automaton::kNowhere) {
      i = nodes[i].end;
      continue;
    }
    for (const std::int32_t token : tokens.tokens(nodes[i])) out.add(static_cast<std::size_t>(token));
    path_[nodes[i].depth] = at;
    ++i;
    check_work(begin);
  }
}

const MaskedAutomaton::Part& MaskedAutomaton::part(std::uint32_t place, const TokenBytes& tokens) {
  if (const auto known = parts_.find({&tokens, place}); known != parts_.end()) return known->second;
  const std::span<const TokenBytes::Node> nodes = tokens.nodes();
  const std::size_t begin = automaton_.work();
  Part out{.mask = TokenMask(tokens.vocabulary()), .leaving = {}};
  std::size_t open = 0;
  path_.resize(tokens.deepest() + 1);
  path_[0] = place;
  for (std::uint32_t i = 1; i < nodes.size();) {
    const std::uint32_t at = automaton_.next(path_[nodes[i].depth - 1U], nodes[i].byte);
    if (at == Automaton::kNowhere) {
      i = nodes[i].end;
      continue;
    }
    for (const std::int32_t token : tokens.tokens(nodes[i])) out.mask.add(static_cast<std::size_t>(token));
    check_work(begin);
    if (automaton_.leaves(at)) {
      if (nodes[i].end > i + 1) out.leaving.push_back(i);
      open += nodes[i].end - i - 1;
      i = nodes[i].end;
    } else {
      path_[nodes[i].depth] = at;
      ++i;
    }
  }
  if (open > nodes.size() / 4) out = {.mask = TokenMask(tokens.vocabulary()), .leaving = {}, .is_whole = false};
  mask_bytes_ += out.mask.bytes() + out.leaving.size() * sizeof(std::uint32_t);
  return parts_.emplace(Key{&tokens, place}, std::move(out)).first->second;
}

}  // namespace strata::grammar
