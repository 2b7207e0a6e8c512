// SPDX-License-Identifier: Apache-2.0
#include "grammar/number_range.h"

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace strata::grammar {
namespace {

using Maybe = std::optional<Expression>;

constexpr std::size_t kIntegerDigits = 16;      // of numbers without a bound
constexpr std::size_t kSignificantDigits = 15;  // decimals of so many have doubles of their own

// A number that is not negative: "012.50" is {"12", "5"}.
struct Magnitude {
  std::string whole, fraction;
  bool is_exclusive = false;

  bool is_zero() const { return whole == "0" && fraction.empty(); }
};

Magnitude magnitude_of(std::string_view decimal, bool is_exclusive) {
  const std::size_t point = std::min(decimal.find('.'), decimal.size());
  std::string whole(decimal.substr(0, point)), fraction(decimal.substr(std::min(point + 1, decimal.size())));
  whole.erase(0, std::min(whole.find_first_not_of('0'), whole.size() - 1));
  fraction.erase(fraction.find_last_not_of('0') + 1);
  return {std::move(whole), std::move(fraction), is_exclusive};
}

bool is_less(std::string_view a, std::string_view b) { return a.size() != b.size() ? a.size() < b.size() : a < b; }

std::string plus_one(std::string digits) {
  std::size_t i = digits.size();
  while (i > 0 && digits[i - 1] == '9') digits[--i] = '0';
  if (i == 0) return "1" + digits;
  ++digits[i - 1];
  return digits;
}

// Requires a number above 0.
std::string minus_one(std::string digits) {
  std::size_t i = digits.size();
  while (digits[i - 1] == '0') digits[--i] = '9';
  --digits[i - 1];
  digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size() - 1));
  return digits;
}

Expression digits_of(std::size_t min, std::size_t max) {
  return repeat_of(character_of({{'0', '9'}}), static_cast<std::uint32_t>(min), static_cast<std::uint32_t>(max));
}

void add_digits(std::vector<Expression>& choices, char first, char last, Expression rest) {
  if (first > last) return;
  choices.push_back(
      sequence_of({character_of({{static_cast<char32_t>(first), static_cast<char32_t>(last)}}), std::move(rest)}));
}

// As many digits as both have, between them; `min` or `max` only where the flag says that it still bounds.
Expression same_length(std::string_view min, std::string_view max, bool has_min, bool has_max) {
  if (min.empty()) return text_of("");
  if (!has_min && !has_max) return digits_of(min.size(), min.size());
  const char low = has_min ? min[0] : '0', high = has_max ? max[0] : '9';
  const std::string_view rest_of_min = min.substr(1), rest_of_max = max.substr(1);
  if (has_min && has_max && low == high) {
    return sequence_of({text_of(std::string(1, low)), same_length(rest_of_min, rest_of_max, true, true)});
  }
  std::vector<Expression> choices;
  if (has_min) add_digits(choices, low, low, same_length(rest_of_min, rest_of_max, true, false));
  add_digits(choices, static_cast<char>(low + (has_min ? 1 : 0)), static_cast<char>(high - (has_max ? 1 : 0)),
             digits_of(rest_of_min.size(), rest_of_min.size()));
  if (has_max) add_digits(choices, high, high, same_length(rest_of_min, rest_of_max, false, true));
  return choice_of(std::move(choices));
}

// Whole numbers that are not negative.
Maybe whole_between(std::string min, const std::string& max) {
  if (is_less(max, min)) return std::nullopt;
  std::vector<Expression> choices;
  for (; min.size() < max.size(); min = "1" + std::string(min.size(), '0')) {
    choices.push_back(same_length(min, std::string(min.size(), '9'), true, true));
  }
  choices.push_back(same_length(min, max, true, true));
  return choice_of(std::move(choices));
}

std::string largest_beyond(const std::string& min) { return std::string(std::max(kIntegerDigits, min.size()), '9'); }

// The least whole number at or above the bound, and the greatest at or below it.
std::string ceiling(const Magnitude& min) {
  return min.fraction.empty() && !min.is_exclusive ? min.whole : plus_one(min.whole);
}
std::optional<std::string> floor_of(const Magnitude& max) {
  if (!max.fraction.empty() || !max.is_exclusive) return max.whole;
  if (max.whole == "0") return std::nullopt;
  return minus_one(max.whole);
}

// The digits of a fraction between two others, all of them as if zeros followed.
class FractionRange {
 public:
  // Each bound may be missing.
  FractionRange(const Magnitude* min, const Magnitude* max, std::size_t most) : min_(min), max_(max), most_(most) {}

  // With the point; nothing where there is no fraction.
  Maybe expression() const {
    const bool may_miss = may_end(0, min_ != nullptr, max_ != nullptr);
    Maybe some = more(0, min_ != nullptr, max_ != nullptr);
    if (!some) return may_miss ? Maybe(text_of("")) : std::nullopt;
    Expression with_point = sequence_of({text_of("."), std::move(*some)});
    return may_miss ? optional_of(std::move(with_point)) : std::move(with_point);
  }

 private:
  bool may_end(std::size_t i, bool has_min, bool has_max) const {
    const bool is_enough = !has_min || (i >= min_->fraction.size() && !min_->is_exclusive);
    const bool is_little = !has_max || i < max_->fraction.size() || !max_->is_exclusive;
    return is_enough && is_little;
  }

  // The digits from the i-th on, none of them too.
  Maybe rest(std::size_t i, bool has_min, bool has_max) const {
    if (!has_min && !has_max) return digits_of(0, most_ - i);
    const bool ends = may_end(i, has_min, has_max);
    Maybe some = more(i, has_min, has_max);
    if (!some) return ends ? Maybe(text_of("")) : std::nullopt;
    return ends ? optional_of(std::move(*some)) : std::move(some);
  }

  // At least one digit from the i-th on.
  Maybe more(std::size_t i, bool has_min, bool has_max) const {
    if (i >= most_) return std::nullopt;
    if (!has_min && !has_max) return digits_of(1, most_ - i);
    const char low = has_min ? digit(min_->fraction, i) : '0', high = has_max ? digit(max_->fraction, i) : '9';
    std::vector<Expression> choices;
    const auto add = [&](char first, char last, Maybe after) {
      if (after) add_digits(choices, first, last, std::move(*after));
    };
    if (has_min && has_max && low == high) {
      add(low, low, rest(i + 1, true, true));
    } else if (low <= high) {
      if (has_min) add(low, low, rest(i + 1, true, false));
      add(static_cast<char>(low + (has_min ? 1 : 0)), static_cast<char>(high - (has_max ? 1 : 0)),
          digits_of(0, most_ - i - 1));
      if (has_max) add(high, high, rest(i + 1, false, true));
    }
    return choices.empty() ? std::nullopt : Maybe(choice_of(std::move(choices)));
  }

  static char digit(const std::string& digits, std::size_t i) { return i < digits.size() ? digits[i] : '0'; }

  const Magnitude *min_, *max_;
  std::size_t most_;
};

void add_number(std::vector<Expression>& choices, Maybe whole, Maybe fraction) {
  if (whole && fraction) choices.push_back(sequence_of({std::move(*whole), std::move(*fraction)}));
}

Maybe decimals_between(const Magnitude& min, const std::optional<Magnitude>& max) {
  const std::size_t whole_digits = std::max(min.whole.size(), max ? max->whole.size() : 0);
  const std::size_t most = whole_digits < kSignificantDigits ? kSignificantDigits - whole_digits : 0;
  std::vector<Expression> choices;
  if (max && is_less(max->whole, min.whole)) return std::nullopt;
  if (max && max->whole == min.whole) {
    add_number(choices, text_of(min.whole), FractionRange(&min, &*max, most).expression());
  } else {
    add_number(choices, text_of(min.whole), FractionRange(&min, nullptr, most).expression());
    const std::string last = max ? minus_one(max->whole) : largest_beyond(plus_one(min.whole));
    add_number(choices, whole_between(plus_one(min.whole), last), FractionRange(nullptr, nullptr, most).expression());
    if (max) add_number(choices, text_of(max->whole), FractionRange(nullptr, &*max, most).expression());
  }
  return choices.empty() ? std::nullopt : Maybe(choice_of(std::move(choices)));
}

Maybe integers_of(const Magnitude& min, const std::optional<Magnitude>& max) {
  const std::string first = ceiling(min);
  const std::optional<std::string> last = max ? floor_of(*max) : largest_beyond(first);
  return last ? whole_between(first, *last) : std::nullopt;
}

using Between = Maybe (*)(const Magnitude& min, const std::optional<Magnitude>& max);

// Of numbers below zero the bounds change places.
Maybe signed_between(const std::optional<NumberBound>& min, const std::optional<NumberBound>& max, Between between) {
  const auto is_negative = [](const std::optional<NumberBound>& bound) {
    return bound && bound->decimal[0] == '-' && bound->decimal.find_first_of("123456789") != std::string::npos;
  };
  const auto of = [&](const std::optional<NumberBound>& bound) -> std::optional<Magnitude> {
    if (!bound) return std::nullopt;
    return magnitude_of(std::string_view(bound->decimal).substr(bound->decimal[0] == '-' ? 1 : 0), bound->is_exclusive);
  };
  const std::optional<Magnitude> low = of(min), high = of(max);
  const Magnitude zero{"0", "", false};
  std::vector<Expression> choices;
  if (!is_negative(max)) {
    const bool is_bounded = low && !is_negative(min);
    if (Maybe some = between(is_bounded ? *low : zero, high)) choices.push_back(std::move(*some));
  }
  if (is_negative(min) || !min) {
    Magnitude least = zero;
    if (is_negative(max) || (high && high->is_zero())) least = *high;
    const bool is_zero_low = low && low->is_zero();  // "-0.0"
    if (!is_zero_low) {
      if (Maybe some = between(least, low)) choices.push_back(sequence_of({text_of("-"), std::move(*some)}));
    }
  }
  return choices.empty() ? std::nullopt : Maybe(choice_of(std::move(choices)));
}

}  // namespace

Maybe integers_between(std::optional<NumberBound> min, std::optional<NumberBound> max) {
  return signed_between(min, max, integers_of);
}

Maybe numbers_between(std::optional<NumberBound> min, std::optional<NumberBound> max) {
  return signed_between(min, max, decimals_between);
}

}  // namespace strata::grammar
