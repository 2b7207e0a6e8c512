// SPDX-License-Identifier: Apache-2.0
// The engine's classes against congruence closure as its definition says it: a partition of terms, refined to a fixed
// point by comparing all pairs.
#include <gtest/gtest.h>

#include <map>

#include "egraph/egraph.h"
#include "random_terms.h"

namespace strata::egraph {
namespace {

struct NaiveTerm {
  Symbol op;
  Payload payload;
  std::vector<std::size_t> children;
  bool operator==(const NaiveTerm&) const = default;
};

class NaiveClosure {
 public:
  std::size_t add(const NaiveTerm& term) {
    for (std::size_t i = 0; i < terms_.size(); ++i) {
      if (terms_[i] == term) return i;
    }
    terms_.push_back(term);
    classes_.push_back(classes_.size());
    return terms_.size() - 1;
  }
  void merge(std::size_t a, std::size_t b) {
    const std::size_t from = classes_[a];
    const std::size_t into = classes_[b];
    for (std::size_t& id : classes_) id = id == from ? into : id;
  }
  void close() {
    for (bool changed = true; changed;) {
      changed = false;
      for (std::size_t a = 0; a < terms_.size(); ++a) {
        for (std::size_t b = 0; b < a; ++b) {
          if (same(a, b) || !congruent(terms_[a], terms_[b])) continue;
          merge(a, b);
          changed = true;
        }
      }
    }
  }
  bool same(std::size_t a, std::size_t b) const { return classes_[a] == classes_[b]; }

 private:
  bool congruent(const NaiveTerm& a, const NaiveTerm& b) const {
    if (a.op != b.op || a.payload != b.payload || a.children.size() != b.children.size()) return false;
    for (std::size_t i = 0; i < a.children.size(); ++i) {
      if (!same(a.children[i], b.children[i])) return false;
    }
    return true;
  }

  std::vector<NaiveTerm> terms_;
  std::vector<std::size_t> classes_;
};

// Both get the same random terms and merges, in rounds with terms added to a graph that has been merged.
void compare(std::uint64_t seed, bool explanations) {
  std::mt19937_64 random(seed);
  Symbols symbols;
  EGraph graph(symbols, nullptr, explanations);
  NaiveClosure naive;
  std::vector<std::pair<ClassId, std::size_t>> terms;
  for (const char* leaf : {"a", "b", "c", "d"}) {
    const Symbol op = symbols.intern(leaf);
    terms.emplace_back(graph.add(op), naive.add({op, 0, {}}));
  }
  const Symbol ops[] = {symbols.intern("f"), symbols.intern("g"), symbols.intern("h")};
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 20; ++i) {
      const auto& x = terms[pick(random, terms.size())];
      const auto& y = terms[pick(random, terms.size())];
      const std::size_t kind = pick(random, 3);
      const auto payload = static_cast<Payload>(pick(random, 6) == 0);
      if (kind == 2) {
        terms.emplace_back(graph.add(ops[kind], payload, {x.first, y.first}),
                           naive.add({ops[kind], payload, {x.second, y.second}}));
      } else {
        terms.emplace_back(graph.add(ops[kind], payload, {x.first}), naive.add({ops[kind], payload, {x.second}}));
      }
    }
    for (int i = 0; i < 2; ++i) {
      const auto& x = terms[pick(random, terms.size())];
      const auto& y = terms[pick(random, terms.size())];
      graph.merge(x.first, y.first);
      naive.merge(x.second, y.second);
    }
    graph.rebuild();
    naive.close();
    for (const auto& x : terms) {
      for (const auto& y : terms) {
        ASSERT_EQ(graph.same(x.first, y.first), naive.same(x.second, y.second))
            << "seed " << seed << " round " << round;
      }
    }
  }
}

TEST(Congruence, EqualsItsDefinition) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) compare(seed, false);
}

TEST(Congruence, EqualsItsDefinitionWithExplanations) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) compare(seed, true);
}

}  // namespace
}  // namespace strata::egraph
