// SPDX-License-Identifier: Apache-2.0
#include "grammar/network.h"

#include <array>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "grammar/limits.h"
#include "grammar/utf8_ranges.h"

namespace strata::grammar {
namespace {

using EdgeKind = Program::Edge::Kind;

// Where the search for a word is after another byte (Knuth, Morris, Pratt), by the bytes that are matched.
std::vector<std::array<std::uint32_t, 256>> occurrence_table(std::string_view word) {
  std::vector<std::array<std::uint32_t, 256>> table(word.size());
  for (std::uint32_t fallback = 0, matched = 0; matched < word.size(); ++matched) {
    table[matched] = matched == 0 ? std::array<std::uint32_t, 256>{} : table[fallback];
    const auto next = static_cast<std::uint8_t>(word[matched]);
    const std::uint32_t after = matched == 0 ? 0 : table[fallback][next];
    table[matched][next] = matched + 1;
    fallback = after;
  }
  return table;
}

// Each build_* makes the states behind `from` and gives the one where the text ends. Edges to `from` none of them
// makes.
class NetworkBuilder {
 public:
  explicit NetworkBuilder(const Grammar& grammar) : grammar_(grammar) {}

  Network build() {
    for (const Rule& rule : grammar_.rules) {
      const auto start = add_state();
      network_.rules.push_back({start, 0});
      network_.rules.back().end = build(rule.expression, start);
      ++rule_;
    }
    return std::move(network_);
  }

 private:
  std::uint32_t add_state() {
    if (network_.edges.size() == kMaxStates) {
      throw usage_error(
          "the grammar, its repetitions written out, has more than " + std::to_string(kMaxStates) + " states",
          "repeat less, or shorter parts");
    }
    network_.edges.emplace_back();
    network_.rule_of.push_back(rule_);
    return static_cast<std::uint32_t>(network_.edges.size() - 1);
  }

  std::uint32_t add_edge(std::uint32_t from, Program::Edge edge) {
    network_.edges[from].push_back(edge);
    return edge.target;
  }
  void add_empty(std::uint32_t from, std::uint32_t to) { add_edge(from, {.kind = EdgeKind::kEmpty, .target = to}); }
  std::uint32_t add_bytes(std::uint32_t from, ByteRange bytes, std::uint32_t to) {
    return add_edge(from, {.kind = EdgeKind::kBytes, .first = bytes.first, .last = bytes.last, .target = to});
  }

  std::uint32_t build(const Expression& expression, std::uint32_t from) {
    switch (expression.kind) {
      case Expression::Kind::kText:
        return build_text(expression.text, from);
      case Expression::Kind::kCharacter:
        return build_character(expression.ranges, from);
      case Expression::Kind::kSequence:
        for (const Expression& part : expression.parts) from = build(part, from);
        return from;
      case Expression::Kind::kChoice:
        return build_choice(expression.parts, from);
      case Expression::Kind::kRepeat:
        return build_repeat(expression, from);
      case Expression::Kind::kRule:
        return add_edge(from, {.kind = EdgeKind::kCall, .target = add_state(), .rule = expression.rule});
      case Expression::Kind::kFreeText:
        return build_free_text(expression, from);
    }
    return from;
  }

  std::uint32_t build_text(std::string_view text, std::uint32_t from) {
    for (const char c : text) {
      const auto byte = static_cast<std::uint8_t>(c);
      from = add_bytes(from, {byte, byte}, add_state());
    }
    return from;
  }

  // Sequences that end alike share the states of their ends.
  std::uint32_t build_character(const CharRanges& ranges, std::uint32_t from) {
    const std::uint32_t to = add_state();
    std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint32_t> before;  // by bytes and what follows
    for (const ByteSequence& sequence : utf8_sequences(ranges)) {
      std::uint32_t next = to;
      for (std::uint32_t i = sequence.size - 1; i > 0; --i) {
        const ByteRange bytes = sequence.ranges[i];
        const auto [at, is_new] = before.try_emplace({bytes.first * 256U + bytes.last, next}, 0);
        if (is_new) {
          at->second = add_state();
          add_bytes(at->second, bytes, next);
        }
        next = at->second;
      }
      add_bytes(from, sequence.ranges[0], next);
    }
    return to;
  }

  std::uint32_t build_choice(const std::vector<Expression>& parts, std::uint32_t from) {
    const std::uint32_t to = add_state();
    for (const Expression& part : parts) add_empty(build(part, from), to);
    return to;
  }

  std::uint32_t build_repeat(const Expression& repeat, std::uint32_t from) {
    const Expression& part = repeat.parts.front();
    for (std::uint32_t i = 0; i < repeat.min; ++i) from = build(part, from);
    const std::uint32_t to = add_state();
    if (repeat.max == kUnlimited) {
      const std::uint32_t loop = add_state();
      add_empty(from, loop);
      add_empty(build(part, loop), loop);
      add_empty(loop, to);
      return to;
    }
    for (std::uint32_t i = repeat.min; i < repeat.max; ++i) {
      add_empty(from, to);
      from = build(part, from);
    }
    add_empty(from, to);
    return to;
  }

  std::uint32_t build_free_text(const Expression& free, std::uint32_t from) {
    const auto table = occurrence_table(free.text);
    const std::uint32_t end = add_state();
    std::vector<std::uint32_t> states;
    for (std::size_t i = 0; i < table.size(); ++i) states.push_back(add_state());
    add_empty(from, states.empty() ? end : states.front());
    for (std::size_t i = 0; i < table.size(); ++i) {
      if (!free.is_through) add_empty(states[i], end);
      for (std::uint32_t first = 0, next = 1; first < 256; first = next++) {
        while (next < 256 && table[i][next] == table[i][first]) ++next;
        const std::uint32_t matched = table[i][first];
        const ByteRange bytes{static_cast<std::uint8_t>(first), static_cast<std::uint8_t>(next - 1)};
        if (matched < states.size()) add_bytes(states[i], bytes, states[matched]);
        if (matched == states.size() && free.is_through) add_bytes(states[i], bytes, end);
      }
    }
    return end;
  }

  const Grammar& grammar_;
  Network network_;
  std::uint32_t rule_ = 0;
};

}  // namespace

Network build_network(const Grammar& grammar) { return NetworkBuilder(grammar).build(); }

}  // namespace strata::grammar
