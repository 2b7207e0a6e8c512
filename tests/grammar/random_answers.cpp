// SPDX-License-Identifier: Apache-2.0
// Answers of a model that knows nothing: of each line {"schema", "seed", "count"} of standard input a line {"texts"} of
// random texts that the masks of the schema's grammar allow, or {"error"}.
#include <cstdint>
#include <iostream>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "grammar/matcher.h"
#include "grammar/schema.h"
#include "grammar/token_bytes.h"

namespace {

using namespace strata::grammar;

constexpr int kRandomTokens = 60, kMostTokens = 3000;

// Every byte, and pieces of JSON across its parts.
std::vector<std::string> vocabulary() {
  std::vector<std::string> tokens;
  for (int byte = 0; byte < 256; ++byte) tokens.push_back(std::string(1, static_cast<char>(byte)));
  for (const char* const text : {"{\"",   "\":",  "\": ",     "\",", "\", \"", "\"}",      "{}",
                                 "[]",    "[[",   "]]",       "}}",  "},",     "], ",      "true",
                                 "false", "null", "\n  ",     "  ",  "ab",     "a\"",      "10",
                                 "00",    "-1",   "0.",       ".5",  "e1",     "\\u00",    "\\ud83d\\ude00",
                                 "\\n",   "é",    "\xE2\x82", "€\"", "日本",   "\xF0\x9F", "2024-",
                                 "T12:",  "://",  "@a."}) {
    tokens.emplace_back(text);
  }
  return tokens;
}

// Soon over: what closes comes first.
std::size_t quickest(const std::vector<std::size_t>& allowed) {
  for (const char c : std::string_view("}]\":0ne")) {
    for (const std::size_t token : allowed) {
      if (token == static_cast<std::uint8_t>(c)) return token;
    }
  }
  return allowed[allowed.size() / 2];
}

std::optional<std::string> random_text(const std::shared_ptr<const CompiledGrammar>& grammar, std::uint64_t seed) {
  static const std::vector<std::string> bytes = vocabulary();
  static const TokenBytes tokens(bytes);
  std::mt19937_64 random(seed);
  Matcher matcher(grammar);
  std::string text;
  for (int step = 0; step < kMostTokens; ++step) {
    const TokenMask mask = matcher.mask(tokens);
    std::vector<std::size_t> allowed;
    for (std::size_t token = 0; token < bytes.size(); ++token) {
      if (mask.has(token)) allowed.push_back(token);
    }
    const bool is_late = step >= kRandomTokens;
    if (matcher.accepts() && (allowed.empty() || is_late || random() % 4 == 0)) return text;
    if (allowed.empty()) throw std::runtime_error("a dead end after " + text);
    const std::size_t token = is_late && random() % 8 != 0 ? quickest(allowed) : allowed[random() % allowed.size()];
    text += bytes[token];
    if (!matcher.advance(bytes[token])) throw std::runtime_error("the mask is wrong after " + text);
  }
  return std::nullopt;
}

Json answer(const Json& line) {
  Json texts = Json::array();
  try {
    const auto grammar = std::make_shared<CompiledGrammar>(schema_grammar(line["schema"]));
    const auto seed = line["seed"].get<std::uint64_t>(), count = line["count"].get<std::uint64_t>();
    for (std::uint64_t i = 0; i < count; ++i) {
      if (const std::optional<std::string> text = random_text(grammar, seed + i)) texts.push_back(*text);
    }
  } catch (const strata::Error& error) {
    return {{"error", error.what()}};
  }
  return {{"texts", std::move(texts)}};
}

}  // namespace

int main() {
  for (std::string line; std::getline(std::cin, line);) std::cout << answer(Json::parse(line)).dump() << std::endl;
}
