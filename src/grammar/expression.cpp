// SPDX-License-Identifier: Apache-2.0
#include "grammar/expression.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "grammar/limits.h"

namespace strata::grammar {
namespace {

constexpr char32_t kLastCharacter = 0x10FFFF;
constexpr CharRange kSurrogates = {0xD800, 0xDFFF};

void append(CharRanges& out, CharRange range) {
  if (!out.empty() && range.first <= out.back().last + 1) {
    out.back().last = std::max(out.back().last, range.last);
  } else {
    out.push_back(range);
  }
}

}  // namespace

CharRanges normalized(CharRanges ranges) {
  CharRanges parts;
  for (const CharRange& range : ranges) {
    if (range.first < kSurrogates.first)
      parts.push_back({range.first, std::min<char32_t>(range.last, kSurrogates.first - 1)});
    if (range.last > kSurrogates.last)
      parts.push_back({std::max<char32_t>(range.first, kSurrogates.last + 1), range.last});
  }
  std::erase_if(parts, [](const CharRange& range) { return range.first > range.last; });
  std::ranges::sort(parts, {}, &CharRange::first);
  CharRanges out;
  for (const CharRange& range : parts) append(out, range);
  return out;
}

CharRanges complement(const CharRanges& ranges) {
  CharRanges out;
  char32_t next = 0;
  for (const CharRange& range : normalized(ranges)) {
    if (range.first > next) out.push_back({next, range.first - 1});
    next = range.last + 1;
  }
  if (next <= kLastCharacter) out.push_back({next, kLastCharacter});
  return normalized(std::move(out));
}

CharRanges intersection(const CharRanges& a, const CharRanges& b) {
  CharRanges either = complement(a);
  for (const CharRange& range : complement(b)) either.push_back(range);
  return complement(either);
}

Expression text_of(std::string bytes) { return {.kind = Expression::Kind::kText, .text = std::move(bytes)}; }

Expression character_of(CharRanges ranges) {
  return {.kind = Expression::Kind::kCharacter, .ranges = normalized(std::move(ranges))};
}

Expression sequence_of(std::vector<Expression> parts) {
  return {.kind = Expression::Kind::kSequence, .parts = std::move(parts)};
}

Expression choice_of(std::vector<Expression> parts) {
  if (parts.size() == 1) return std::move(parts.front());
  return {.kind = Expression::Kind::kChoice, .parts = std::move(parts)};
}

Expression repeat_of(Expression part, std::uint32_t min, std::uint32_t max) {
  Expression out{.kind = Expression::Kind::kRepeat, .min = min, .max = max};
  out.parts.push_back(std::move(part));
  return out;
}

Expression optional_of(Expression part) { return repeat_of(std::move(part), 0, 1); }

Expression rule_of(std::uint32_t rule) { return {.kind = Expression::Kind::kRule, .rule = rule}; }

Expression text_without(std::string marker) { return {.kind = Expression::Kind::kFreeText, .text = std::move(marker)}; }

Expression text_through(std::string marker) {
  return {.kind = Expression::Kind::kFreeText, .text = std::move(marker), .is_through = true};
}

std::uint32_t Grammar::add(std::string name, Expression expression) {
  if (rules.size() == kMaxRules) {
    throw usage_error("the grammar has more than " + std::to_string(kMaxRules) + " rules", "make it smaller");
  }
  rules.push_back({std::move(name), std::move(expression)});
  return static_cast<std::uint32_t>(rules.size() - 1);
}

}  // namespace strata::grammar
