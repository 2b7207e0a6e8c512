// SPDX-License-Identifier: Apache-2.0
#include "vectorize/layout_rules.h"

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/error.h"
#include "cost/leaf.h"
#include "ir/group_op.h"
#include "machine/cost.h"
#include "rules/conditions.h"
#include "vectorize/candidates.h"

namespace strata::vectorize {
namespace {

using egraph::ClassId;
using egraph::EGraph;
using egraph::Match;
using egraph::Rewrite;
using rules::TensorGraph;

// Ops that change how a tensor lies, or say how it is read, have no lanes of their own.
bool is_movement_of_memory(const ir::Op& op) {
  return op.changes_layout() || (op.aliased_operand() && !op.writes_alias());
}

std::string number(const char* variable, int i) { return variable + std::to_string(i); }

std::string applied(const std::string& op, const std::string& payload, const std::string& operand) {
  return op + "{" + payload + "}(" + operand + ")";
}

// What becomes of an operand of an op's pattern.
enum class Operand { kAsItIs, kPacked, kRoundedAndPacked };

// "matmul_nt{?p}(?x0, ?x1)", where operands are packed with pack{?q0}(?x0), rounded with round{?d0}(?x0) inside of it.
std::string op_pattern(const ir::Op& op, Operand form = Operand::kAsItIs) {
  std::string operands;
  for (int i = 0; i < op.arity(); ++i) {
    std::string operand = number("?x", i);
    if (form == Operand::kRoundedAndPacked) operand = applied("round", number("?d", i), operand);
    if (form != Operand::kAsItIs) operand = applied("pack", number("?q", i), operand);
    operands += (i == 0 ? "" : ", ") + operand;
  }
  return op.name() + "{?p}(" + operands + ")";
}

egraph::Payload pack_payload(TensorGraph& tensors, const OperandForm& form) {
  return form.layout.is_row_major() ? egraph::kIdentity : tensors.payload({{"layout", form.layout}});
}

egraph::Payload round_payload(TensorGraph& tensors, const ir::TensorType& type, const OperandForm& form) {
  return form.dtype == type.dtype ? egraph::kIdentity : tensors.payload({{"dtype", form.dtype}});
}

std::optional<ir::TensorType> inferred(const char* op, const ir::TensorType& type, const ir::Attributes& attributes) {
  try {
    return ir::get_op(op).infer({{type}}, attributes);
  } catch (const Error&) {
    return std::nullopt;
  }
}

// Whether every operand can be brought into its form; the summands of a sum can't be rounded.
bool can_pack(const TensorGraph& tensors, const Match& match, const Candidate& candidate) {
  for (std::size_t i = 0; i < candidate.operands.size(); ++i) {
    const OperandForm& form = candidate.operands[i];
    std::optional<ir::TensorType> type = tensors.type(match.class_of(number("?x", static_cast<int>(i))));
    if (form.dtype != type->dtype) type = inferred("round", *type, {{"dtype", form.dtype}});
    if (type && !form.layout.is_row_major()) type = inferred("pack", *type, {{"layout", form.layout}});
    if (!type) return false;
  }
  return true;
}

bool rounds(const std::vector<ir::TensorType>& types, const Candidate& candidate) {
  for (std::size_t i = 0; i < types.size(); ++i) {
    if (candidate.operands[i].dtype != types[i].dtype) return true;
  }
  return false;
}

// Binds the payloads ?q0... of the operands' packs to what a candidate wants, where it rounds operands ?d0... of their
// roundings, and ?u to whether the result needs unpacking.
void bind_candidate(TensorGraph& tensors, const ir::Op& op, std::vector<ir::TensorType> types,
                    const ir::Attributes& attributes, const Candidate& candidate, bool is_rounded, Match& match) {
  for (int i = 0; i < op.arity(); ++i) {
    const OperandForm& form = candidate.operands[i];
    match.bind_payload(number("?q", i), pack_payload(tensors, form));
    if (is_rounded) match.bind_payload(number("?d", i), round_payload(tensors, types[i], form));
    types[i].layout = form.layout;
    types[i].dtype = form.dtype;
  }
  const bool is_packed = !op.infer(types, attributes).layout.is_row_major();
  match.bind_payload("?u", is_packed ? tensors.payload({}) : egraph::kIdentity);
}

// A constant that would take more memory as numbers than the codes that it is made of: what reads it has forms for
// these.
bool is_constant_of_codes(const TensorGraph& tensors, ClassId id) {
  return tensors.facts(id).is_constant &&
         (tensors.is_made_by(id, "scale_blocks") || tensors.is_made_by(id, "affine_blocks") ||
          tensors.is_made_by(id, "scale_unshifted"));
}

// op(x, y) = unpack(op(pack(x), pack(y))), in each of the op's candidates. Of those an operand may stay as it lies, and
// the result may lie in rows by itself. Of the candidates it takes those that round an operand,
// unpack(op(pack(round(x)), pack(y))), or those that don't.
Rewrite candidates_rule(TensorGraph& tensors, const machine::Machine& machine, const ir::Op& op, bool is_rounded) {
  // The right sides follow from the operands alone: a match whose root has merged has them already.
  auto done = std::make_shared<std::set<std::pair<std::vector<ClassId>, egraph::Payload>>>();
  const bool takes_codes = machine::managed_level(machine) == nullptr;  // no copies of codes are made there
  const auto is_running = [&tensors, &op, done, takes_codes](EGraph& graph, Match& match) {
    if (tensors.facts(match.class_of("?r")).is_constant) return false;
    std::vector<ClassId> operands;
    for (int i = 0; i < op.arity(); ++i) operands.push_back(graph.find(match.class_of(number("?x", i))));
    const auto is_of_codes = [&](ClassId id) { return is_constant_of_codes(tensors, id); };
    if (takes_codes && std::ranges::any_of(operands, is_of_codes)) return false;
    return done->emplace(std::move(operands), match.payload_of("?p")).second;
  };
  const Operand form = is_rounded ? Operand::kRoundedAndPacked : Operand::kPacked;
  Rewrite rule =
      egraph::make_rewrite(tensors.symbols(), (is_rounded ? "round-" : "vectorize-") + op.name(),
                           "?r = " + op_pattern(op), "?r = unpack{?u}(" + op_pattern(op, form) + ")", is_running);
  rule.choices = [&tensors, &machine, &op, is_rounded](EGraph&, const Match& match) {
    std::vector<ir::TensorType> types;
    for (int i = 0; i < op.arity(); ++i) types.push_back(tensors.type(match.class_of(number("?x", i))));
    const ir::Attributes attributes = tensors.attributes(match.payload_of("?p"));
    std::vector<Match> ways;
    for (const Candidate& candidate : candidates(op, types, attributes, machine)) {
      if (rounds(types, candidate) != is_rounded || !can_pack(tensors, match, candidate)) continue;
      bind_candidate(tensors, op, types, attributes, candidate, is_rounded, ways.emplace_back(match));
    }
    return ways;
  };
  return rule;
}

// Rows that meet codes in blocks become codes themselves, which their blocks' scales turn back to numbers: the rule
// that is not exact. An element is off by a 254th of the largest in its block at most. Sums of rows that shifts meet
// are sums of the rounded ones then, else errors that would cancel would not.
struct RoundedRows {
  const char* name;
  const char* product;
  const char* weights;  // and what follows them
};

constexpr std::array<RoundedRows, 4> kRoundedRows = {
    {{"round-rows-of-scale_blocks", "matmul_nt", "scale_blocks(?q, ?s)"},
     {"round-rows-of-affine_blocks", "matmul_nt", "affine_blocks(?q, ?s, ?m)"},
     {"round-rows-of-scale_blocks-by_number", "matmul_nt_by_number{?e}", "scale_blocks(?q, ?s), ?i"},
     {"round-rows-of-affine_blocks-by_number", "matmul_nt_by_number{?e}", "affine_blocks(?q, ?s, ?m), ?i"}}};

// Binds ?b to the shape of ?x in blocks, where the machine has a unit for bytes.
egraph::Guard rounds_rows(TensorGraph& tensors, const machine::Machine& machine) {
  const bool has_unit = machine::dot_unit(machine, DType::kI8) != nullptr;
  return [&tensors, has_unit, in_blocks = rules::let("?b", rules::in_blocks_of("?x", "?s"))](EGraph&, Match& match) {
    const ClassId rows = match.class_of("?x");
    const ir::TensorType& x = tensors.type(rows);
    const ir::TensorType& codes = tensors.type(match.class_of("?q"));
    const bool is_plain = x.layout.is_row_major() && codes.layout.is_row_major() &&
                          tensors.type(match.class_of("?s")).layout.is_row_major();
    if (!has_unit || !is_plain || x.dtype != DType::kF32 || codes.dtype != DType::kI8) return false;
    if (tensors.facts(rows).is_constant || tensors.is_made_by(rows, "scale_blocks")) return false;
    if (tensors.is_made_by(rows, "reduce_sum")) return false;
    rules::Matched matched(tensors, match);
    return in_blocks(matched);
  };
}

Rewrite rounded_rows_rule(TensorGraph& tensors, const machine::Machine& machine, const RoundedRows& of) {
  const std::string scales = "code_scales(reshape{?b}(?x))", weights = ", " + std::string(of.weights) + ")";
  const std::string product = of.product;
  return egraph::make_rewrite(tensors.symbols(), of.name, product + "(?x" + weights,
                              product + "(scale_blocks(quantise(?x, " + scales + "), " + scales + ")" + weights,
                              rounds_rows(tensors, machine));
}

// The operand ?w of an op that may lie in an encoding.
struct EncodedOperand {
  std::string_view op;
  int operand;
  int arity;
  bool takes_bytes, takes_floats;

  bool takes(const encoding::Encoding& encoding) const {
    return is_floating(encoding.panels.number) ? takes_floats : takes_bytes;
  }

  // "matmul_nt{?p}(?a0, pack{?q}(?w))".
  std::string pattern(const std::string& payload) const {
    std::string text = std::string(op) + "{?p}(";
    for (int i = 0; i < arity; ++i)
      text += (i == 0 ? "" : ", ") + (i == operand ? applied("pack", payload, "?w") : number("?a", i));
    return text + ")";
  }
};

constexpr std::array<EncodedOperand, 11> kEncodedOperands = {{{"matmul_nt", 1, 2, false, true},
                                                              {"scaled_matmul_nt", 1, 3, true, false},
                                                              {"nested_matmul_nt", 1, 4, true, false},
                                                              {"scaled_rows_matmul_nt", 2, 4, true, false},
                                                              {"nested_rows_matmul_nt", 2, 5, true, false},
                                                              {"matmul_nt_by_number", 1, 3, false, true},
                                                              {"scaled_matmul_nt_by_number", 1, 4, true, false},
                                                              {"nested_matmul_nt_by_number", 1, 5, true, false},
                                                              {"scaled_rows_matmul_nt_by_number", 2, 5, true, false},
                                                              {"nested_rows_matmul_nt_by_number", 2, 6, true, false},
                                                              {"gather", 0, 2, true, true}}};

// Whether a matrix in `better` is smaller or decoded faster than in `encoding`, and neither larger nor slower.
bool betters(const machine::Machine& machine, const encoding::Encoding& better, const encoding::Encoding& encoding) {
  const int bits = better.panels.bits(), other_bits = encoding.panels.bits();
  const auto slots = [&](const encoding::Encoding& of) {
    return machine::decode_slots(machine, std::string(of.name), of.decode_instructions);
  };
  const double own = slots(better), other = slots(encoding);
  const bool is_alike = better.is_exact && better.panels.number == encoding.panels.number;
  return is_alike && bits <= other_bits && own <= other && (bits < other_bits || own < other);
}

// The operand of matches of a pattern in the encoding.
class EncodedMatches {
 public:
  EncodedMatches(TensorGraph& tensors, const machine::Machine& machine, const EncodedOperand& of,
                 const encoding::Encoding& encoding)
      : tensors_(tensors), of_(of), encoding_(encoding) {
    const auto known = decodable(machine);
    is_allowed_ = encoding.is_exact && std::ranges::find(known, &encoding) != known.end();
    for (const encoding::Encoding* other : known) {
      if (betters(machine, *other, encoding)) better_.push_back(other);
    }
  }

  // The attributes of a pack of ?w, where that is a constant that may lie so and no other encoding betters this one.
  std::optional<ir::Attributes> pack(const Match& match) const {
    const rules::Elements& elements = tensors_.facts(match.class_of("?w")).elements;
    if (!is_allowed_ || !elements || !encoding::encodes(encoding_, *elements)) return std::nullopt;
    const auto own = packed(match, encoding_);
    if (!own) return std::nullopt;
    const bool has_leaf = this->has_leaf(match, *own);
    for (const encoding::Encoding* other : better_) {
      if (!encoding::encodes(*other, *elements)) continue;
      const auto its = packed(match, *other);
      if (its && (!has_leaf || this->has_leaf(match, *its))) return std::nullopt;
    }
    return own;
  }

 private:
  // In the lanes that the operand has.
  std::optional<ir::Attributes> packed(const Match& match, const encoding::Encoding& encoding) const {
    ir::Attributes attributes = tensors_.attributes(match.payload_of("?q"));
    auto& layout = std::get<ir::Layout>(attributes.at("layout"));
    if (layout.encoding != nullptr || layout.packs.empty()) return std::nullopt;
    if (layout.packs[0].axis != 0 || layout.packs[0].is_ragged) return std::nullopt;
    layout = ir::encoded_layout(encoding, layout.packs[0].lanes);
    if (!tensors_.infer(ir::get_op("pack"), {match.class_of("?w")}, attributes)) return std::nullopt;
    return attributes;
  }

  bool has_leaf(const Match& match, const ir::Attributes& pack) const {
    std::vector<ir::TensorType> types;
    for (int i = 0; i < of_.arity; ++i)
      types.push_back(i == of_.operand ? *tensors_.infer(ir::get_op("pack"), {match.class_of("?w")}, pack)
                                       : tensors_.type(match.class_of(number("?a", i))));
    const ir::Attributes& attributes = tensors_.attributes(match.payload_of("?p"));
    return cost::find_leaf(ir::get_op(of_.op), types, attributes, tensors_.type(match.roots[0])) != nullptr;
  }

  TensorGraph& tensors_;
  EncodedOperand of_;
  const encoding::Encoding& encoding_;
  bool is_allowed_ = false;
  std::vector<const encoding::Encoding*> better_;
};

// Binds ?e to the payload of the pack in the encoding.
egraph::Guard encodes(TensorGraph& tensors, EncodedMatches matches) {
  return [&tensors, matches = std::move(matches)](EGraph&, Match& match) {
    const auto pack = matches.pack(match);
    if (pack) match.bind_payload("?e", tensors.payload(*pack));
    return pack.has_value();
  };
}

// Whether the classes have one type, so that one may stand for the other.
egraph::Guard same_type(TensorGraph& tensors, const char* a, const char* b) {
  return [&tensors, a, b](EGraph&, Match& match) {
    return tensors.type(match.class_of(a)) == tensors.type(match.class_of(b));
  };
}

// The guard, where ?x is packed.
egraph::Guard where_packed(TensorGraph& tensors, egraph::Guard guard) {
  return [&tensors, guard = std::move(guard)](EGraph& graph, Match& match) {
    return !tensors.type(match.class_of("?x")).layout.is_row_major() && guard(graph, match);
  };
}

// The payload ?p fits the operand ?x as it is.
egraph::Guard fits(TensorGraph& tensors, const char* op) {
  return [&tensors, op](EGraph&, Match& match) {
    return tensors.infer(ir::get_op(op), {match.class_of("?x")}, tensors.attributes(match.payload_of("?p")))
        .has_value();
  };
}

// The payload ?p takes the operand ?x to the type of ?r.
egraph::Guard gives(TensorGraph& tensors, const char* op) {
  return [&tensors, op](EGraph&, Match& match) {
    return tensors.infer(ir::get_op(op), {match.class_of("?x")}, tensors.attributes(match.payload_of("?p"))) ==
           tensors.type(match.class_of("?r"));
  };
}

}  // namespace

std::vector<std::string> rounded_rows_rules() {
  std::vector<std::string> names;
  for (const RoundedRows& of : kRoundedRows) names.emplace_back(of.name);
  return names;
}

std::vector<const encoding::Encoding*> decodable(const machine::Machine& machine) {
  std::vector<const encoding::Encoding*> found;
  for (const encoding::Encoding* encoding : encoding::all_encodings()) {
    if (!encoding->looks_up || machine.vector_registers.byte_lookup) found.push_back(encoding);
  }
  return found;
}

std::vector<Rewrite> layout_rules(TensorGraph& tensors, const machine::Machine& machine) {
  std::vector<Rewrite> rules;
  for (const ir::Op* op : ir::all_ops()) {
    if (ir::group_op(*op) != nullptr) continue;
    if (!is_movement_of_memory(*op)) rules.push_back(candidates_rule(tensors, machine, *op, false));
    if (op->permits_rounding()) rules.push_back(candidates_rule(tensors, machine, *op, true));
  }
  for (const RoundedRows& of : kRoundedRows) rules.push_back(rounded_rows_rule(tensors, machine, of));
  const auto add = [&](const char* name, const char* lhs, const char* rhs, egraph::Guard guard) {
    rules.push_back(egraph::make_rewrite(tensors.symbols(), name, lhs, rhs, std::move(guard)));
  };
  add("pack-of-unpack", "?r = pack(unpack(?x))", "?r = ?x", same_type(tensors, "?r", "?x"));
  add("unpack-of-pack", "?r = unpack(pack(?x))", "?r = ?x", same_type(tensors, "?r", "?x"));
  // Without these two, values that are reshaped to one another's types would get one more packed form per iteration:
  // the algebra's rules are about row-major values.
  add("identity-packed-reshape", "?r = reshape(?x)", "?r = ?x", where_packed(tensors, same_type(tensors, "?r", "?x")));
  add("packed-reshape-of-reshape", "?r = reshape{?p}(reshape(?x))", "?r = reshape{?p}(?x)",
      where_packed(tensors, gives(tensors, "reshape")));
  add("reshape-of-unpack", "reshape{?p}(unpack(?x))", "unpack(reshape{?p}(?x))", fits(tensors, "reshape"));
  add("transpose-of-unpack", "transpose{?p}(unpack(?x))", "unpack(transpose{?p}(?x))", fits(tensors, "transpose"));
  add("slice-of-unpack", "slice{?p}(unpack(?x))", "unpack(slice{?p}(?x))", fits(tensors, "slice"));
  for (const encoding::Encoding* encoding : encoding::all_encodings()) {
    for (const EncodedOperand& of : kEncodedOperands) {
      if (!of.takes(*encoding)) continue;
      const std::string name = "encode-" + std::string(of.op) + "-" + std::string(encoding->name);
      add(name.c_str(), of.pattern("?q").c_str(), of.pattern("?e").c_str(),
          encodes(tensors, EncodedMatches(tensors, machine, of, *encoding)));
    }
  }
  return rules;
}

}  // namespace strata::vectorize
