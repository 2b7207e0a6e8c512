// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <span>
#include <string>

#include "ir/expr.h"

namespace strata::cost {

// Values for symbolic sizes; a symbol that is not named counts with its largest value. Attention is causal: its context
// is the number of positions that a row sees, on average.
using Sizes = std::map<std::string, std::int64_t>;

// Bytes that ops touch, linear in the run-time sizes.
class Traffic {
 public:
  Traffic() = default;
  // What the op reads and writes at least once.
  explicit Traffic(const ir::Expr& op);

  Traffic& operator+=(const Traffic& other);
  Traffic operator-(const Traffic& other) const;
  double bytes(const Sizes& sizes) const;

 private:
  struct PerUnit {
    double bytes = 0;
    std::int64_t most = 1;  // of the symbol
  };
  double at_one_ = 0;  // where every symbol is one
  std::map<std::string, PerUnit> per_unit_;
};

// Of each function, what a run of it touches.
using FunctionTraffic = std::map<const ir::Function*, Traffic>;

// A function's ops and calls in program order, and what has been touched before and after each of them. An operand's
// reuse distance is what was touched between its making and its use (Mattson et al., Evaluation techniques for storage
// hierarchies, 1970).
class ProgramOrder {
 public:
  // `callees` has all functions that are called.
  ProgramOrder(const ir::Function& function, const FunctionTraffic& callees);

  // The same with the function's values in another order, all of them, each behind its arguments.
  ProgramOrder(const ir::Function& function, const FunctionTraffic& callees, std::span<const ir::Expr* const> order);

  // The value's place in the order; -1: it is there from the start. A view's is that of the value whose memory it is.
  int place(const ir::Expr& value) const;

  // From the end of what is done at `made` to the beginning of what is done at `used`.
  Traffic between(int made, int used) const;
  const Traffic& total() const { return after_.back(); }

 private:
  std::map<const ir::Expr*, int> places_;
  std::vector<Traffic> after_ = {{}};  // [i]: after place i - 1
};

}  // namespace strata::cost
