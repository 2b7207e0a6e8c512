// SPDX-License-Identifier: Apache-2.0
#include "grammar/matcher.h"

#include <utility>

#include "grammar/masked_automaton.h"

namespace strata::grammar {

CompiledGrammar::CompiledGrammar(const Grammar& grammar)
    : program_(compile(grammar)), automaton_(std::make_shared<MaskedAutomaton>(program_)) {}

Matcher::Matcher(std::shared_ptr<const CompiledGrammar> grammar) : grammar_(std::move(grammar)) {
  const std::lock_guard lock(grammar_->mutex_);
  automaton_ = grammar_->automaton_;
  place_ = automaton_->start();
}

bool Matcher::advance(std::string_view bytes) {
  if (automaton_->is_full()) {
    auto fresh = std::make_shared<MaskedAutomaton>(grammar_->program_);
    place_ = fresh->import(*automaton_, place_);
    automaton_ = fresh;
    const std::lock_guard lock(grammar_->mutex_);
    grammar_->automaton_ = std::move(fresh);
  }
  const std::uint32_t next = automaton_->next(place_, bytes);
  if (next == Automaton::kNowhere) return false;
  place_ = next;
  return true;
}

bool Matcher::accepts() const { return automaton_->accepts(place_); }

TokenMask Matcher::mask(const TokenBytes& tokens) { return automaton_->mask(place_, tokens); }

}  // namespace strata::grammar
