// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "ir/expr.h"
#include "ir/text.h"
#include "ir/text_scanner.h"

namespace strata::ir {

// The part of the IR's text form (ir/text.h) that stands inside of statements: sizes, types, attributes.
class TypeParser {
 protected:
  TypeParser(std::string_view text, const std::string& origin) : scan_(text, origin) {}

  // Runs what may throw Error of its own and adds the position to the message.
  template <class F>
  auto at(std::size_t position, F&& run) {
    try {
      return run();
    } catch (const Error& error) {
      const std::string text = error.what();
      const std::size_t split = text.rfind("; ");
      if (split == std::string::npos) scan_.fail_at(position, text);
      scan_.fail_at(position, text.substr(0, split), text.substr(split + 2));
    }
  }

  void check_count(std::size_t count, std::size_t limit, const std::string& what) const {
    if (count > limit) scan_.fail("there are too many " + what, "at most " + std::to_string(limit) + " are allowed");
  }

  // `item (, item)*` up to the closing punctuation, which is taken.
  template <class F>
  void parse_list(std::string_view close, const std::string& what, F&& item) {
    if (scan_.accept(close)) return;
    std::size_t count = 0;
    do {
      check_count(++count, TextLimits::kListItems, what);
      item();
    } while (scan_.accept(","));
    scan_.expect(close);
  }

  std::int64_t parse_size();
  Dim parse_dim();
  Layout parse_layout();
  const encoding::Encoding* parse_encoding();
  int parse_axis();
  Sbp parse_sbp();
  Placement parse_placement();
  DType parse_element_type();
  TensorType parse_type();
  std::vector<TensorType> parse_types();
  Attribute parse_number();
  Attribute parse_attribute();
  Attributes parse_attributes();

  TextScanner scan_;
  std::unordered_map<std::string, std::shared_ptr<const Symbol>> symbols_;  // that sizes may name
};

}  // namespace strata::ir
