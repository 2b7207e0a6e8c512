// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "grammar/item_lists.h"
#include "grammar/program.h"

namespace strata::grammar {

// A program made deterministic as far as texts come: a *place* is all that the grammar may be at after some bytes, its
// items. What calls a rule at one place is one list to go back to, as in a graph-structured stack (Tomita), so
// ambiguity takes polynomial room; lists and places that are equal have one number, so that a place that was met
// before, at whatever depth of whatever recursion, has its steps ready.
class Automaton {
 public:
  static constexpr std::uint32_t kNowhere = 0;  // the place of a text that the grammar refuses

  // The program must outlive the automaton.
  explicit Automaton(const Program& program);

  std::uint32_t start() const { return start_; }
  // Throws usage_error where a limit of work or memory is met.
  std::uint32_t next(std::uint32_t place, std::uint8_t byte) {
    const std::uint32_t known = steps_[place * program_.byte_classes + program_.byte_class[byte]];
    return known != kUnknown ? known : step(place, byte);
  }

  bool accepts(std::uint32_t place) const { return places_[place].accepts; }

  // A part of a grammar alone: where these states go back to isn't said. A place that does so leaves it.
  std::uint32_t part(std::span<const std::uint32_t> states);
  bool leaves(std::uint32_t place) const { return places_[place].leaves; }

  std::span<const Item> items(std::uint32_t place) const { return lists_[places_[place].items]; }

  // The same place in another automaton of the program.
  std::uint32_t import(const Automaton& other, std::uint32_t place);

  std::size_t bytes() const;
  std::size_t work() const { return work_; }  // items that were looked at so far

 private:
  static constexpr std::uint32_t kUnknown = 0xFFFFFFFF;
  // In place of states: the end of the whole text, and of a part.
  static constexpr std::uint32_t kEnd = 0xFFFFFFFF, kLeave = 0xFFFFFFFE;

  struct Place {
    std::uint32_t items = 0;
    bool accepts = false, leaves = false;
  };

  std::uint32_t step(std::uint32_t place, std::uint8_t byte);
  std::uint32_t place_of(std::vector<Item> items);
  std::uint32_t close();
  void add(Item item);
  [[noreturn]] void give_up();
  void follow(Item item, bool is_called);
  void call(const Program::Edge& edge, Item from);
  bool is_state(std::uint32_t state) const { return state < kLeave; }

  const Program& program_;
  ItemLists lists_;
  std::vector<Place> places_;
  std::vector<std::uint32_t> steps_;  // by place and class of bytes
  std::unordered_map<std::uint32_t, std::uint32_t> place_of_items_;
  std::uint32_t start_ = 0, ends_ = 0, leaves_ = 0;
  std::size_t work_ = 0;

  // Of the place that is being made.
  struct Call {
    std::uint32_t rank, rule;
    Item back;
  };
  std::vector<Item> found_;
  std::unordered_set<std::uint64_t> is_found_;
  std::vector<Call> calls_;  // a heap by rank
};

}  // namespace strata::grammar
