// SPDX-License-Identifier: Apache-2.0
#include "egraph/symbols.h"

#include "base/error.h"

namespace strata::egraph {

Symbol Symbols::intern(std::string_view name) {
  if (const auto found = index_.find(name); found != index_.end()) return found->second;
  const auto symbol = static_cast<Symbol>(names_.size());
  index_.emplace(names_.emplace_back(name), symbol);
  return symbol;
}

const std::string& Symbols::name(Symbol symbol) const {
  STRATA_CHECK(symbol < names_.size(), "a symbol of another table");
  return names_[symbol];
}

}  // namespace strata::egraph
