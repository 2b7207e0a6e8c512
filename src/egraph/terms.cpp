// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "egraph/explain.h"

namespace strata::egraph {
namespace {

void append_text(const TermTable& terms, TermId id, const Symbols& symbols, std::size_t max_length, std::string& out) {
  if (out.size() > max_length) return;
  const Term& term = terms[id];
  out += symbols.name(term.op);
  if (term.payload != 0) out += "{" + std::to_string(term.payload) + "}";
  for (std::size_t i = 0; i < term.children.size(); ++i) {
    out += i == 0 ? "(" : ", ";
    append_text(terms, term.children[i], symbols, max_length, out);
  }
  if (!term.children.empty()) out += ")";
}

void append_proof(const TermTable& terms, const Proof& proof, const Symbols& symbols, const std::string& indent,
                  std::string& out) {
  out += indent + terms.text(proof.start, symbols) + "\n";
  for (const ProofStep& step : proof.steps) {
    out += indent + (step.forward ? "= by " : "= by, backwards, ") + step.rule + " at /";
    for (std::size_t i = 0; i < step.position.size(); ++i) {
      out += (i == 0 ? "" : "/") + std::to_string(step.position[i]);
    }
    out += ": " + terms.text(step.before, symbols) + " = " + terms.text(step.after, symbols) + "\n";
    for (const Proof& premise : step.premises) append_proof(terms, premise, symbols, indent + "    ", out);
  }
  out += indent + "= " + terms.text(proof.goal, symbols) + "\n";
}

}  // namespace

TermTable::TermTable(const TermTable& other) { *this = other; }

TermTable& TermTable::operator=(const TermTable& other) {
  if (this == &other) return *this;
  ids_ = other.ids_;
  terms_.assign(ids_.size(), nullptr);
  for (const auto& [term, id] : ids_) terms_[id] = &term;
  return *this;
}

TermId TermTable::add(Term term) {
  const auto [entry, is_new] = ids_.emplace(std::move(term), static_cast<TermId>(terms_.size()));
  if (is_new) terms_.push_back(&entry->first);
  return entry->second;
}

std::optional<TermId> TermTable::at(TermId id, std::span<const std::uint32_t> position) const {
  for (const std::uint32_t child : position) {
    const Term& term = *terms_[id];
    if (child >= term.children.size()) return std::nullopt;
    id = term.children[child];
  }
  return id;
}

TermId TermTable::replace(TermId id, std::span<const std::uint32_t> position, TermId subterm) {
  if (position.empty()) return subterm;
  Term term = *terms_[id];
  TermId& child = term.children.at(position.front());
  child = replace(child, position.subspan(1), subterm);
  return add(std::move(term));
}

std::string TermTable::text(TermId id, const Symbols& symbols, std::size_t max_length) const {
  std::string out;
  append_text(*this, id, symbols, max_length, out);
  if (out.size() > max_length) out = out.substr(0, max_length) + "...";
  return out;
}

std::string Explanation::text(const Symbols& symbols) const {
  std::string out;
  append_proof(terms, proof, symbols, "", out);
  return out;
}

}  // namespace strata::egraph
