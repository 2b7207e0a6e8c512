// SPDX-License-Identifier: Apache-2.0
// What string streams would do. A stream keeps std::bad_alloc for itself, and goes on with less text.
#pragma once

#include <charconv>
#include <concepts>
#include <optional>
#include <ranges>
#include <string>
#include <string_view>
#include <vector>

namespace strata {

// The parts between separators, empty ones too; of an empty text there are none.
std::vector<std::string_view> split(std::string_view text, char separator);

// The parts between white space.
std::vector<std::string_view> words(std::string_view text);

// The parts lie in the text: not in one that ends with the statement.
template <std::same_as<std::string> Text>
void split(Text&& text, char separator) = delete;
template <std::same_as<std::string> Text>
void words(Text&& text) = delete;

// A word that is such a number, whole.
template <class T>
std::optional<T> number_of(std::string_view word) {
  T value{};
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  return error == std::errc() && end == word.data() + word.size() ? std::optional(value) : std::nullopt;
}

// The parts one after another, with `between` between them.
template <std::ranges::input_range Parts>
std::string joined(Parts&& parts, std::string_view between = ", ") {
  std::string text;
  bool is_first = true;
  for (const std::string_view part : parts) {
    if (!is_first) text += between;
    is_first = false;
    text += part;
  }
  return text;
}

// With up to six digits, as "%g" writes it: "0.25", "1e-06".
std::string plain_text(double value);

}  // namespace strata
