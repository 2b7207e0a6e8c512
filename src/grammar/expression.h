// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace strata::grammar {

// Code points from the first to the last.
struct CharRange {
  char32_t first, last;
};
using CharRanges = std::vector<CharRange>;

// In order, without overlaps, without surrogates, which no UTF-8 has.
CharRanges normalized(CharRanges ranges);
CharRanges complement(const CharRanges& ranges);
CharRanges intersection(const CharRanges& a, const CharRanges& b);

inline constexpr std::uint32_t kUnlimited = std::numeric_limits<std::uint32_t>::max();

// What a piece of text may be.
struct Expression {
  enum class Kind {
    kText,       // these bytes
    kCharacter,  // one of these characters
    kSequence,   // the parts one after another
    kChoice,     // one of the parts; of none: nothing can be it
    kRepeat,     // the part so many times
    kRule,       // what the rule says
    kFreeText,   // any bytes in which `text` doesn't occur; with `is_through` followed by it
  };
  Kind kind = Kind::kSequence;  // of no parts: the empty text
  std::string text = {};
  CharRanges ranges = {};
  std::vector<Expression> parts = {};
  std::uint32_t min = 0, max = 0;  // max: kUnlimited
  std::uint32_t rule = 0;
  bool is_through = false;
};

Expression text_of(std::string bytes);
Expression character_of(CharRanges ranges);
Expression sequence_of(std::vector<Expression> parts);
Expression choice_of(std::vector<Expression> parts);
Expression repeat_of(Expression part, std::uint32_t min, std::uint32_t max);
Expression optional_of(Expression part);
Expression rule_of(std::uint32_t rule);
Expression text_without(std::string marker);
Expression text_through(std::string marker);

struct Rule {
  std::string name;  // for messages
  Expression expression;
};

// Rules that name one another by their numbers; a text is what the root rule says.
struct Grammar {
  std::vector<Rule> rules;
  std::uint32_t root = 0;

  std::uint32_t add(std::string name, Expression expression = {});
};

}  // namespace strata::grammar
