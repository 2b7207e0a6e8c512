// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include "grammar/automaton.h"
#include "grammar/program.h"
#include "grammar/token_bytes.h"

namespace strata::grammar {

// A set of token ids.
class TokenMask {
 public:
  explicit TokenMask(std::size_t vocabulary) : words_((vocabulary + 63) / 64) {}

  bool has(std::size_t token) const {
    return token / 64 < words_.size() && ((words_[token / 64] >> (token % 64)) & 1) != 0;
  }
  void add(std::size_t token) { words_[token / 64] |= std::uint64_t{1} << (token % 64); }
  void remove(std::size_t token) { words_[token / 64] &= ~(std::uint64_t{1} << (token % 64)); }
  void add(const TokenMask& other) {
    for (std::size_t i = 0; i < words_.size(); ++i) words_[i] |= other.words_[i];
  }
  std::size_t bytes() const { return words_.size() * sizeof(std::uint64_t); }
  bool operator==(const TokenMask&) const = default;

 private:
  std::vector<std::uint64_t> words_;
};

// What is known of a program so far: its places, and the masks of some over the vocabularies that it was asked with.
// Texts of one grammar share it, from whatever thread.
class MaskedAutomaton;

// A grammar that is ready for texts.
class CompiledGrammar {
 public:
  // Throws usage_error.
  explicit CompiledGrammar(const Grammar& grammar);

  const Program& program() const { return program_; }

 private:
  friend class Matcher;

  const Program program_;
  mutable std::mutex mutex_;
  mutable std::shared_ptr<MaskedAutomaton> automaton_;  // that new texts begin with
};

// Follows one text, byte by byte. All methods throw usage_error where the grammar is too ambiguous for the text; the
// matcher is of no use then.
class Matcher {
 public:
  explicit Matcher(std::shared_ptr<const CompiledGrammar> grammar);

  // False, and nothing changes, where the grammar doesn't go on with these bytes.
  bool advance(std::string_view bytes);

  // Whether the text may end here.
  bool accepts() const;

  // The tokens whose bytes, all of them, the grammar can go on with.
  TokenMask mask(const TokenBytes& tokens);

 private:
  std::shared_ptr<const CompiledGrammar> grammar_;
  std::shared_ptr<MaskedAutomaton> automaton_;
  std::uint32_t place_ = 0;
};

}  // namespace strata::grammar
