// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "grammar/automaton.h"
#include "grammar/matcher.h"
#include "grammar/token_bytes.h"

namespace strata::grammar {

// Masks are made of parts. What the items of a place that go back to the same list can do until they go back there
// depends on nothing else, so its mask is made once for all places that have these items; the tokens that leave it
// within their bytes are looked at where the list is known.
class MaskedAutomaton {
 public:
  explicit MaskedAutomaton(const Program& program) : automaton_(program) {}

  std::uint32_t start() const { return automaton_.start(); }

  // kNowhere where the bytes aren't the grammar's.
  std::uint32_t next(std::uint32_t place, std::string_view bytes);
  bool accepts(std::uint32_t place);
  TokenMask mask(std::uint32_t place, const TokenBytes& tokens);

  // Whether what is remembered should be forgotten: by going on with the place in a new one.
  bool is_full();
  std::uint32_t import(MaskedAutomaton& other, std::uint32_t place);

 private:
  using Key = std::pair<const TokenBytes*, std::uint32_t>;
  struct Part {
    TokenMask mask;
    std::vector<std::uint32_t> leaving;  // nodes of the trie, all below which is open
    bool is_whole = true;                // else too much is open, and the mask empty
  };

  const TokenMask& whole_mask(std::uint32_t place, const TokenBytes& tokens);
  const Part& part(std::uint32_t place, const TokenBytes& tokens);
  void add_below(std::uint32_t node, std::uint32_t place, const TokenBytes& tokens, TokenMask& out);
  void check_work(std::size_t begin) const;
  std::uint32_t place_at(std::uint32_t node, std::uint32_t place, const TokenBytes& tokens);

  std::mutex mutex_;  // of all
  Automaton automaton_;
  std::map<Key, TokenMask> masks_;
  std::map<Key, Part> parts_;
  std::size_t mask_bytes_ = 0;
  std::vector<std::uint32_t> path_;  // of a walk: the place at each depth
};

}  // namespace strata::grammar
