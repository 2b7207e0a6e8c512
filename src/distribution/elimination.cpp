// SPDX-License-Identifier: Apache-2.0
#include "distribution/elimination.h"

#include <algorithm>
#include <set>

#include "base/error.h"

namespace strata::distribution {
namespace {

// How far a factor's costs lie apart for neighbouring choices of each of `variables`; 0 where it doesn't have them.
std::vector<std::int64_t> strides_of(const Factor& factor, const std::vector<int>& variables,
                                     const std::vector<int>& sizes) {
  std::vector<std::int64_t> strides(variables.size());
  std::int64_t stride = 1;
  for (std::size_t i = factor.scope.size(); i-- > 0;) {
    const auto at = std::ranges::find(variables, factor.scope[i]);
    if (at != variables.end()) strides[static_cast<std::size_t>(at - variables.begin())] = stride;
    stride *= sizes[static_cast<std::size_t>(factor.scope[i])];
  }
  return strides;
}

// Goes through all choices of some variables, the last one fastest, with each factor's offset.
class Odometer {
 public:
  Odometer(std::vector<int> extents, std::vector<std::vector<std::int64_t>> strides)
      : extents_(std::move(extents)),
        strides_(std::move(strides)),
        digits_(extents_.size()),
        offsets_(strides_.size()) {}

  const std::vector<std::int64_t>& offsets() const { return offsets_; }

  void next() {
    for (std::size_t i = digits_.size(); i-- > 0;) {
      const bool is_over = ++digits_[i] == extents_[i];
      const std::int64_t step = is_over ? 1 - extents_[i] : 1;
      for (std::size_t f = 0; f < strides_.size(); ++f) offsets_[f] += step * strides_[f][i];
      if (!is_over) return;
      digits_[i] = 0;
    }
  }

 private:
  std::vector<int> extents_;
  std::vector<std::vector<std::int64_t>> strides_;  // by factor
  std::vector<int> digits_;
  std::vector<std::int64_t> offsets_;
};

class Eliminator {
 public:
  explicit Eliminator(const FactorGraph& graph) : sizes_(graph.sizes), touching_(graph.sizes.size()) {
    for (const Factor& factor : graph.factors) add(factor);
    for (int v = 0; v < static_cast<int>(sizes_.size()); ++v) left_.insert(v);
  }

  std::optional<Minimum> run(std::int64_t most) {
    while (!left_.empty()) {
      const auto [variable, entries] = next();
      if (entries > static_cast<double>(most)) return std::nullopt;
      eliminate(variable);
    }
    minimum_.cost = constant_;
    minimum_.choice.assign(sizes_.size(), 0);
    if (minimum_.cost == kInfinite) return minimum_;
    for (auto step = steps_.rbegin(); step != steps_.rend(); ++step) decide(*step);
    return minimum_;
  }

 private:
  struct Step {
    int variable = 0;
    std::vector<int> scope;
    std::vector<int> best;  // choice of the variable, by those of the scope
  };

  void add(const Factor& factor) {
    if (factor.scope.empty()) {
      constant_ += factor.costs[0];
      return;
    }
    for (const int v : factor.scope) touching_[static_cast<std::size_t>(v)].push_back(factors_.size());
    factors_.push_back(factor);
  }

  std::vector<int> neighbours(int variable) const {
    std::set<int> found;
    for (const std::size_t f : touching_[static_cast<std::size_t>(variable)]) {
      found.insert(factors_[f].scope.begin(), factors_[f].scope.end());
    }
    found.erase(variable);
    return {found.begin(), found.end()};
  }

  double table_size(const std::vector<int>& scope) const {
    double size = 1;
    for (const int v : scope) size *= sizes_[static_cast<std::size_t>(v)];
    return size;
  }

  // The variable whose elimination fills the smallest table, and the entries that are looked at.
  std::pair<int, double> next() const {
    std::pair<int, double> best = {-1, kInfinite};
    for (const int v : left_) {
      const double entries = table_size(neighbours(v)) * sizes_[static_cast<std::size_t>(v)];
      if (entries < best.second) best = {v, entries};
    }
    return best;
  }

  void eliminate(int variable) {
    Step step{variable, neighbours(variable), {}};
    const std::vector<std::size_t> joined = touching_[static_cast<std::size_t>(variable)];
    const auto choices = static_cast<std::size_t>(sizes_[static_cast<std::size_t>(variable)]);
    std::vector<std::vector<double>> tables;
    std::vector<std::vector<std::int64_t>> strides;
    for (const std::size_t f : joined) {
      tables.push_back(with_fastest(factors_[f], variable));
      strides.push_back(strides_with_fastest(factors_[f], variable, step.scope));
    }
    std::vector<int> extents;
    for (const int v : step.scope) extents.push_back(sizes_[static_cast<std::size_t>(v)]);
    Odometer at(extents, std::move(strides));
    const auto entries = static_cast<std::size_t>(table_size(step.scope));
    Factor made{step.scope, std::vector<double>(entries)};
    step.best.resize(entries);
    std::vector<double> sums(choices);
    for (std::size_t entry = 0; entry < entries; ++entry, at.next()) {
      std::ranges::fill(sums, 0);
      for (std::size_t j = 0; j < tables.size(); ++j) {
        const double* costs = tables[j].data() + at.offsets()[j];
        for (std::size_t k = 0; k < choices; ++k) sums[k] += costs[k];
      }
      const auto least = std::ranges::min_element(sums);
      made.costs[entry] = *least;
      step.best[entry] = static_cast<int>(least - sums.begin());
    }
    minimum_.entries += static_cast<std::int64_t>(entries * choices);
    minimum_.largest = std::max(minimum_.largest, static_cast<std::int64_t>(entries * choices));
    remove(joined);
    left_.erase(variable);
    add(made);
    steps_.push_back(std::move(step));
  }

  // The factor's costs with the variable's choice running fastest, so that its choices lie side by side.
  std::vector<double> with_fastest(const Factor& factor, int variable) const {
    const auto choices = static_cast<std::size_t>(sizes_[static_cast<std::size_t>(variable)]);
    const auto stride = static_cast<std::size_t>(strides_of(factor, {variable}, sizes_)[0]);
    std::vector<double> costs(factor.costs.size());
    const std::size_t outer = costs.size() / (choices * stride);
    for (std::size_t o = 0; o < outer; ++o) {
      for (std::size_t k = 0; k < choices; ++k) {
        for (std::size_t i = 0; i < stride; ++i) {
          costs[(o * stride + i) * choices + k] = factor.costs[(o * choices + k) * stride + i];
        }
      }
    }
    return costs;
  }

  std::vector<std::int64_t> strides_with_fastest(const Factor& factor, int variable,
                                                 const std::vector<int>& others) const {
    Factor moved;
    for (const int v : factor.scope) {
      if (v != variable) moved.scope.push_back(v);
    }
    moved.scope.push_back(variable);
    return strides_of(moved, others, sizes_);
  }

  void remove(const std::vector<std::size_t>& joined) {
    for (const std::size_t f : joined) {
      for (const int v : factors_[f].scope) std::erase(touching_[static_cast<std::size_t>(v)], f);
      factors_[f] = {};
    }
  }

  void decide(const Step& step) {
    std::size_t entry = 0;
    for (const int v : step.scope) {
      entry = entry * static_cast<std::size_t>(sizes_[static_cast<std::size_t>(v)]) +
              static_cast<std::size_t>(minimum_.choice[static_cast<std::size_t>(v)]);
    }
    minimum_.choice[static_cast<std::size_t>(step.variable)] = step.best[entry];
  }

  const std::vector<int>& sizes_;
  std::vector<Factor> factors_;
  std::vector<std::vector<std::size_t>> touching_;  // factors, by variable
  std::set<int> left_;
  std::vector<Step> steps_;
  double constant_ = 0;
  Minimum minimum_;
};

}  // namespace

std::optional<Minimum> minimise(const FactorGraph& graph, std::int64_t most) { return Eliminator(graph).run(most); }

double cost_of(const FactorGraph& graph, const std::vector<int>& choice) {
  double sum = 0;
  for (const Factor& factor : graph.factors) {
    std::size_t entry = 0;
    for (const int v : factor.scope) {
      entry = entry * static_cast<std::size_t>(graph.sizes[static_cast<std::size_t>(v)]) +
              static_cast<std::size_t>(choice[static_cast<std::size_t>(v)]);
    }
    sum += factor.costs[entry];
  }
  return sum;
}

}  // namespace strata::distribution
