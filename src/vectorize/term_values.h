// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "egraph/explain.h"
#include "ir/op.h"
#include "rules/tensor_graph.h"

namespace strata::vectorize {

// A term's value, and the coarsest rounding of what it is computed of: of the results' types of its ops. Rounding is an
// op too, so that a term that may differ by more says so.
struct TermValue {
  ir::Value value;
  double roundoff = 0;
};

// The value of each exact term of a graph with explanations, by the ops' reference evaluation; leaves are random, equal
// leaves equal. Sizes must be numbers.
class TermValues {
 public:
  explicit TermValues(const rules::TensorGraph& tensors) : tensors_(tensors) {}

  using Held = std::shared_ptr<const TermValue>;  // null: it has none, as it needs a call's tuple
  using Known = std::map<egraph::TermId, Held>;   // of one table of terms

  Held of(egraph::ClassId term);
  // The same of a term of a proof.
  Held of(const egraph::TermTable& terms, egraph::TermId term, Known& known) const;

  // "matmul_nt{…}(x, pack{…}(w))"
  std::string text(const egraph::TermTable& terms, egraph::TermId term, int depth = 6) const;

 private:
  Held evaluate(const egraph::ENode& node, const std::vector<Held>& operands) const;
  ir::Value random_value(const std::string& name, const ir::TensorType& type) const;

  const rules::TensorGraph& tensors_;
  std::map<egraph::ClassId, Held> of_id_;
};

// ||a - b|| / ||b||; infinite where one is not a number and the other is.
double relative_error(const ir::Value& a, const ir::Value& b);

// Whether they are further apart than their rounding explains.
bool differ(const TermValue& a, const TermValue& b);

}  // namespace strata::vectorize
