// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>

namespace strata::egraph {

using Symbol = std::uint32_t;  // the name of an operator or a rule, interned in Symbols

// Names as small integers, numbered in the order of their first mention: that order, never a hash, decides ties.
class Symbols {
 public:
  Symbol intern(std::string_view name);
  const std::string& name(Symbol symbol) const;
  std::size_t size() const { return names_.size(); }

 private:
  std::deque<std::string> names_;  // addresses stay, index_ refers to them
  std::unordered_map<std::string_view, Symbol> index_;
};

}  // namespace strata::egraph
