// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "egraph/egraph.h"
#include "egraph/rewrite.h"
#include "encoding/statistics.h"
#include "ir/expr.h"
#include "ir/op.h"

namespace strata::rules {

// What is behind an e-node's payload: the attributes of an op, or what a leaf is.
struct Operator {
  ir::Attributes attributes;
  std::string name;                  // leaf: unique in the graph; call: of the callee
  ir::TensorType type;               // leaf, scalar
  double value = 0;                  // scalar
  std::int64_t index = 0;            // get
  const ir::Expr* origin = nullptr;  // leaf, call: where it comes from
};

// What is known of a constant's elements: null where nothing is, or no encoding holds them with few exceptions.
using Elements = std::shared_ptr<const encoding::Statistics>;

Elements if_encodable(const encoding::Statistics& statistics);

// What the graph knows of a class. Facts only grow; they stay true when classes merge.
struct Facts {
  std::vector<ir::TensorType> types;  // one, or a tuple's
  bool is_constant = false;           // all that it needs is known when the package is written
  bool is_state = false;              // the memory of a cache, before or after an update
  std::optional<double> scalar;       // the value of a scalar constant
  Elements elements = nullptr;        // of a constant
};

enum class LeafKind { kActivation, kConstant, kState };

// An e-graph over tensor expressions: ops by name, their attributes as payloads, types and constants as the analysis.
// Nodes of one class have equal types, layout included: `pack` leads from class to class.
class TensorGraph : private egraph::Analysis {
 public:
  explicit TensorGraph(bool explanations = false);

  egraph::EGraph& graph() { return graph_; }
  const egraph::EGraph& graph() const { return graph_; }
  egraph::Symbols& symbols() { return symbols_; }

  egraph::ClassId leaf(LeafKind kind, const std::string& name, const ir::TensorType& type, const ir::Expr* origin,
                       const Elements& elements = nullptr);
  egraph::ClassId scalar(double value, DType dtype);
  // Throws Error (usage) when the operands don't fit the op.
  egraph::ClassId op(const ir::Op& op, const std::vector<egraph::ClassId>& operands, const ir::Attributes& attributes);
  egraph::ClassId call(const ir::Expr& call, const std::vector<egraph::ClassId>& operands);
  egraph::ClassId get(egraph::ClassId tuple, std::int64_t index, const ir::TensorType& type);

  // The type that such a node would have; nothing when the operands don't fit.
  std::optional<ir::TensorType> infer(const ir::Op& op, const std::vector<egraph::ClassId>& operands,
                                      const ir::Attributes& attributes) const;

  const Facts& facts(egraph::ClassId id) const { return facts_[graph_.find(id)]; }
  const ir::TensorType& type(egraph::ClassId id) const;

  // Whether an op of that name makes the class, in one way among others.
  bool is_made_by(egraph::ClassId id, std::string_view op) const;

  // The op of a node; null for leaves, scalars, calls and gets.
  const ir::Op* op_of(const egraph::ENode& node) const;
  const Operator& operator_of(const egraph::ENode& node) const { return operators_[node.payload]; }
  const ir::Attributes& attributes(egraph::Payload payload) const { return operators_[payload].attributes; }
  egraph::Payload payload(const ir::Attributes& attributes);
  bool is_pack(const egraph::ENode& node) const { return changes_layout(node) && !is_packed(node.children[0]); }
  bool is_unpack(const egraph::ENode& node) const { return changes_layout(node) && is_packed(node.children[0]); }
  bool is_leaf(const egraph::ENode& node) const { return node.op == leaf_symbol_; }
  bool is_scalar(const egraph::ENode& node) const { return node.op == scalar_symbol_; }
  bool is_call(const egraph::ENode& node) const { return node.op == call_symbol_; }
  bool is_get(const egraph::ENode& node) const { return node.op == get_symbol_; }

  // Numbers in rules' text: f32 scalars.
  egraph::LiteralResolver literals();

  // A node for people: "matmul_nt{...}(c3, c7) : f32[1, 8]".
  std::string text(const egraph::ENode& node) const;

 private:
  bool make(const egraph::EGraph& graph, egraph::ClassId id, const egraph::ENode& node) override;
  egraph::AnalysisMerge merge(const egraph::EGraph& graph, egraph::ClassId into, egraph::ClassId from) override;

  bool changes_layout(const egraph::ENode& node) const {
    return op_of(node) != nullptr && op_of(node)->changes_layout();
  }
  bool is_packed(egraph::ClassId id) const { return !type(id).layout.is_row_major(); }
  egraph::Payload intern(Operator record, const std::string& key);
  Facts facts_of(const egraph::EGraph& graph, const egraph::ENode& node) const;
  Elements joint_elements(const egraph::ENode& node, DType dtype) const;
  std::vector<ir::TensorType> operand_types(const egraph::ENode& node) const;

  egraph::Symbols symbols_;
  std::vector<Operator> operators_;
  std::vector<LeafKind> leaf_kinds_;     // by payload
  std::vector<Elements> leaf_elements_;  // by payload
  std::unordered_map<std::string, egraph::Payload> payloads_;
  std::vector<Facts> facts_;        // by class id
  std::vector<const ir::Op*> ops_;  // by symbol
  egraph::Symbol leaf_symbol_;
  egraph::Symbol scalar_symbol_;
  egraph::Symbol call_symbol_;
  egraph::Symbol get_symbol_;
  egraph::EGraph graph_;
};

}  // namespace strata::rules
