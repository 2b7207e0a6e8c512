// SPDX-License-Identifier: Apache-2.0
#include "cli/headline.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "cli/format.h"
#include "cli/op_limits.h"

namespace strata::cli {
namespace {

constexpr double kWorthSaying = 0.1;  // of the time
constexpr double kFromCaches = 1.05;  // of the roof: what was read isn't from the level that it is predicted from

std::string whole_percent(double share) { return format_fixed(100 * share, 0) + "\u00a0%"; }

// "15,652".
std::string rate_text(double rate) {
  std::string text = format_fixed(rate, rate < 10 ? 2 : rate < 100 ? 1 : 0);
  if (rate < 100) return text;
  for (std::size_t at = text.size(); at > 3;) text.insert(at -= 3, ",");
  return text;
}

// "reads weights", of "98 % of the time".
std::string verb(Limit limit) {
  switch (limit) {
    case Limit::kWeights:
      return "reads weights";
    case Limit::kContext:
      return "reads the context";
    case Limit::kMemory:
      return "moves other values";
    case Limit::kArithmetic:
      return "computes";
    case Limit::kOther:
      break;
  }
  return "is short loops, starting and waiting";
}

std::string at_what_rate(Limit limit, const LimitShare& share) {
  if (limit == Limit::kOther) return "";
  const std::string part = format_fixed(share.floor, 2);
  if (limit == Limit::kArithmetic) return ", at " + part + " of the arithmetic's peak";
  if (share.floor > kFromCaches)
    return ", at " + part + " times the memory's bandwidth: caches still hold a part of it";
  return ", at " + part + " of the memory's bandwidth";
}

std::string sentence_of(const Explanation& step) {
  const auto shares = limit_shares(step);
  std::vector<Limit> order(kLimits.begin(), kLimits.end());
  const auto share = [&](Limit limit) -> const LimitShare& { return shares[static_cast<std::size_t>(limit)]; };
  std::ranges::sort(order, {}, [&](Limit limit) { return std::pair(-share(limit).share, limit); });
  std::string text =
      whole_percent(share(order[0]).share) + " of the time " + verb(order[0]) + at_what_rate(order[0], share(order[0]));
  std::string rest;
  for (const Limit limit : order) {
    if (limit == order[0] || share(limit).share < kWorthSaying) continue;
    rest += (rest.empty() ? "; " : ", ") + whole_percent(share(limit).share) + " " + verb(limit);
  }
  return text + rest + ".";
}

}  // namespace

std::string step_name(const Explanation& step) { return step.rows == 1 ? "decoding" : "prefill"; }

Headline headline_of(const Explanation& step) {
  const double seconds = seconds_of(step);
  Headline headline;
  headline.step = step.rows == 1 ? "Decoding, one token" : "Prefill, " + std::to_string(step.rows) + " tokens";
  headline.rate = rate_text(seconds > 0 ? static_cast<double>(step.rows) / seconds : 0);
  headline.unit = std::string("tokens/s, ") + (step.repetitions > 0 ? "measured" : "predicted");
  headline.sentence = sentence_of(step);
  return headline;
}

}  // namespace strata::cli
