// SPDX-License-Identifier: Apache-2.0
#include "buffer/op_order.h"

#include <algorithm>
#include <map>

#include "base/error.h"
#include "buffer/touches.h"

namespace strata::buffer {
namespace {

using schedule::ScheduledOp;

class OpOrder {
 public:
  OpOrder(const schedule::ScheduledFunction& function, const FunctionPlan& apart)
      : ops_(function.ops), earlier_(ops_.size()), touched_(ops_.size()) {
    for (std::size_t i = 0; i < ops_.size(); ++i) {
      if (ops_[i].has_code()) touched_[i] = shared_touches(ops_[i], apart);
    }
    find_makers();
    for (std::size_t i = 0; i < ops_.size(); ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        if (are_in_order(j, i)) earlier_[i].push_back(j);
      }
    }
  }

  std::vector<std::size_t> run() {
    std::vector<std::size_t> order;
    std::vector<bool> is_done(ops_.size());
    Unfinished unfinished;
    while (order.size() < ops_.size()) {
      const std::vector<std::size_t> ready = ready_ones(is_done);
      STRATA_CHECK(!ready.empty(), "ops wait for one another");
      auto next =
          std::ranges::find_if(ready, [&](std::size_t op) { return !unfinished.meets(ops_[op], touched_[op]); });
      if (next == ready.end()) {
        unfinished.finish();
        next = ready.begin();
      }
      unfinished.add(ops_[*next], touched_[*next]);
      is_done[*next] = true;
      order.push_back(*next);
    }
    return order;
  }

 private:
  // Those whose values an op reads.
  void find_makers() {
    std::map<const ir::Expr*, std::size_t> maker;
    for (std::size_t i = 0; i < ops_.size(); ++i) {
      for (const ir::Expr* argument : ops_[i].value->arguments) {
        const ir::Expr* const made = argument->kind == ir::Expr::Kind::kGet ? argument->arguments[0] : argument;
        if (const auto found = maker.find(made); found != maker.end()) earlier_[i].push_back(found->second);
      }
      maker[ops_[i].value] = i;
    }
  }

  bool are_in_order(std::size_t before, std::size_t after) const {
    if (ops_[before].is_call() || ops_[after].is_call()) return true;
    return std::ranges::any_of(touched_[before], [&](const Touch& a) {
      return std::ranges::any_of(touched_[after], [&](const Touch& b) { return conflict(a, b); });
    });
  }

  std::vector<std::size_t> ready_ones(const std::vector<bool>& is_done) const {
    std::vector<std::size_t> ready;
    for (std::size_t op = 0; op < ops_.size(); ++op) {
      const bool is_free = std::ranges::all_of(earlier_[op], [&](std::size_t other) { return is_done[other]; });
      if (!is_done[op] && is_free) ready.push_back(op);
    }
    return ready;
  }

  const std::vector<ScheduledOp>& ops_;
  std::vector<std::vector<std::size_t>> earlier_;  // by op: those that must have run
  std::vector<std::vector<Touch>> touched_;
};

}  // namespace

std::vector<std::size_t> order_of_few_barriers(const schedule::ScheduledFunction& function, const FunctionPlan& apart) {
  return OpOrder(function, apart).run();
}

}  // namespace strata::buffer
