// SPDX-License-Identifier: Apache-2.0
#include "grammar/number_range.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "../sweep.h"
#include "base/error.h"
#include "grammar/matcher.h"

namespace strata::grammar {
namespace {

using Random = std::mt19937_64;
using Bound = std::optional<NumberBound>;

std::string random_decimal(Random& random, std::size_t most_whole, std::size_t most_fraction) {
  std::string text = random() % 2 == 0 ? "-" : "";
  const auto digits = [&](std::size_t count) {
    std::string out;
    for (std::size_t i = 0; i < count; ++i)
      out.push_back(static_cast<char>('0' + random() % (random() % 2 == 0 ? 2 : 10)));
    return out;
  };
  const std::string whole = digits(1 + random() % most_whole);
  text += whole.substr(std::min(whole.find_first_not_of('0'), whole.size() - 1));
  if (most_fraction > 0 && random() % 2 == 0) text += "." + digits(1 + random() % most_fraction);
  return text;
}

bool is_between(double value, const Bound& min, const Bound& max) {
  const double low = min ? std::atof(min->decimal.c_str()) : -1e300,
               high = max ? std::atof(max->decimal.c_str()) : 1e300;
  return (min && min->is_exclusive ? value > low : value >= low) &&
         (max && max->is_exclusive ? value < high : value <= high);
}

std::shared_ptr<CompiledGrammar> compiled_numbers(std::optional<Expression> expression) {
  if (!expression) return nullptr;
  Grammar grammar;
  grammar.add("root", std::move(*expression));
  return std::make_shared<CompiledGrammar>(grammar);
}

bool number_fits(const std::shared_ptr<CompiledGrammar>& grammar, const std::string& text) {
  if (grammar == nullptr) return false;
  Matcher matcher(grammar);
  return matcher.advance(text) && matcher.accepts();
}

Bound random_bound(Random& random, std::size_t most_fraction) {
  if (random() % 4 == 0) return std::nullopt;
  return NumberBound{random_decimal(random, 4, most_fraction), random() % 2 == 0};
}

// "-0" and "-0.0" may be left out.
bool is_minus_zero(const std::string& text) {
  return text[0] == '-' && text.find_first_of("123456789") == std::string::npos;
}

TEST(NumberRange, IsWhatADoubleSays) {
  for (std::uint64_t seed = 0; seed < sweep_size(100, 20'000); ++seed) {
    Random random(seed);
    const Bound min = random_bound(random, 3), max = random_bound(random, 3);
    const auto numbers = compiled_numbers(numbers_between(min, max)),
               integers = compiled_numbers(integers_between(min, max));
    for (int i = 0; i < 100; ++i) {
      std::string text = random_decimal(random, 5, 5);
      if (i % 4 == 0 && min) text = min->decimal;
      if (i % 4 == 1 && max) text = max->decimal + (max->decimal.find('.') == std::string::npos ? ".000" : "0");
      const bool wanted = is_between(std::atof(text.c_str()), min, max);
      if (is_minus_zero(text) && wanted) continue;
      ASSERT_EQ(number_fits(numbers, text), wanted)
          << text << " " << (min ? min->decimal : "") << " " << (max ? max->decimal : "") << " " << seed;
      const bool is_whole = text.find('.') == std::string::npos;
      ASSERT_EQ(number_fits(integers, text), wanted && is_whole)
          << text << " " << (min ? min->decimal : "") << " " << (max ? max->decimal : "") << " " << seed;
    }
  }
}

// What an exclusive bound allows doesn't become the bound when it is read as a double.
TEST(NumberRange, ADoubleTellsWhatIsAllowedFromTheBound) {
  for (const std::string bound : {"0.1", "1", "123456789.125", "0.30000000000000004", "9007199254740993"}) {
    const auto below = compiled_numbers(numbers_between(std::nullopt, NumberBound{bound, true}));
    std::string nearest = bound;
    Random random(1);
    for (int i = 0; i < 2000; ++i) {
      // Just below the bound: its digits less one somewhere, with nines behind.
      std::string text = bound.find('.') == std::string::npos ? bound + ".0" : bound;
      std::size_t at = random() % text.size();
      while (text[at] == '.' || text[at] == '0') at = at == 0 ? text.size() - 1 : at - 1;
      --text[at];
      text.resize(at + 1);
      const std::size_t nines = random() % 24;
      if (text.find('.') == std::string::npos)
        text +=
            std::string(bound.find('.') == std::string::npos ? bound.size() - at - 1 : bound.find('.') - at - 1, '9') +
            ".";
      text += std::string(nines + 1, '9');
      if (text.size() > 1 && text[0] == '0' && text[1] != '.') continue;
      if (number_fits(below, text)) ASSERT_LT(std::atof(text.c_str()), std::atof(bound.c_str())) << text;
    }
  }
}

}  // namespace
}  // namespace strata::grammar
