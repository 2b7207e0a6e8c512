// SPDX-License-Identifier: Apache-2.0
// Random terms that look like a rule's left side.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "base/error.h"
#include "encoding/encoding.h"
#include "ir/by_number.h"
#include "rules/tensor_graph.h"

namespace strata::rules {

using Random = std::mt19937_64;

// The sizes that operands share, by letter: equal letters are equal sizes, '2' is two, and the leading axes of an
// operand may be more than its letters. Integer operands are marked by '#' and the letter whose size bounds them, bytes
// by
// '!', and by '?' what is bytes half of the times. 'N' is the rows of two matrices, 'P' two pages. Of a depth 'q' there
// are blocks 'r' of 8 or 16, and one outer block 'o'.
inline const std::map<std::string, std::vector<std::string>>& operand_letters() {
  static const std::map<std::string, std::vector<std::string>> kLetters = {
      {"matmul", {"mk", "kn"}},
      {"matmul_nt", {"mk", "nk"}},
      {"matmul_tn", {"km", "kn"}},
      {"batch_matmul", {"bmk", "bkn"}},
      {"batch_matmul_nt", {"bmk", "bnk"}},
      {"scale_blocks", {"hc?", "hb"}},
      {"scale_unshifted", {"hc?", "hb"}},
      {"affine_blocks", {"hc?", "hb", "hb"}},
      {"quantise", {"mq", "mr"}},
      {"scaled_matmul_nt", {"mq", "nq!", "nr"}},
      {"nested_matmul_nt", {"mq", "nq!", "nr!", "no"}},
      {"scaled_rows_matmul_nt", {"mq!", "mr", "nq!", "nr"}},
      {"nested_rows_matmul_nt", {"mq!", "mr", "nq!", "nr!", "no"}},
      {"matmul_nt_by_number", {"sk", "Nk", "sj#2"}},
      {"scaled_matmul_nt_by_number", {"sq", "Nq!", "Nr", "sj#2"}},
      {"nested_matmul_nt_by_number", {"sq", "Nq!", "Nr!", "No", "sj#2"}},
      {"scaled_rows_matmul_nt_by_number", {"sq!", "sr", "Nq!", "Nr", "sj#2"}},
      {"nested_rows_matmul_nt_by_number", {"sq!", "sr", "Nq!", "Nr!", "No", "sj#2"}},
      {"routed_matmul_nt", {"sk", "enk", "sj#e"}},
      {"routed_rows_matmul_nt", {"sjk", "enk", "sj#e"}},
      {"take", {"sk", "sj#k"}},
      {"weighted_sum", {"sj", "sjn"}},
      {"rms_norm", {"mk", "k"}},
      {"layer_norm", {"mk", "k", "k"}},
      {"rope", {"sh2i", "si", "si"}},
      {"rope_angles", {"s", "i"}},
      {"gather", {"vd", "s#v"}},
      {"cache_append", {"hcd", "shd", "s#c"}},
      {"grouped_matmul", {"hmk", "gkn"}},
      {"grouped_matmul_nt", {"hmk", "gnk"}},
      {"causal_mask", {"hst", "s#t"}},
      {"window_mask", {"hst", "s#t"}},
      {"attention", {"shd", "hcd", "hcd", "s#c"}},
      {"windowed_attention", {"shd", "hcd", "hcd", "s#c"}},
      {"capped_attention", {"shd", "hcd", "hcd", "s#c"}},
      {"windowed_capped_attention", {"shd", "hcd", "hcd", "s#c"}},
      {"paged_attention", {"shd", "hPd", "hPd", "s#P", "2#2"}},
      {"windowed_paged_attention", {"shd", "hPd", "hPd", "s#P", "2#2"}},
      {"each_paged_attention", {"shd", "hPd", "hPd", "s#P", "s2#2"}},
      {"windowed_each_paged_attention", {"shd", "hPd", "hPd", "s#P", "s2#2"}},
  };
  return kLetters;
}

class InstanceWriter {
 public:
  // Leaves are of these kinds.
  InstanceWriter(TensorGraph& tensors, Random& random,
                 std::vector<LeafKind> kinds = {LeafKind::kActivation, LeafKind::kConstant})
      : tensors_(tensors), random_(random), kinds_(std::move(kinds)) {}

  // "encode-gather-i8_5".
  static const encoding::Encoding* encoding_of(const std::string& rule) {
    return rule.starts_with("encode-") ? encoding::find_encoding(rule.substr(rule.rfind('-') + 1)) : nullptr;
  }

  // Adds such a term; nothing where the choices didn't fit together. Returns the classes of the roots.
  std::optional<std::vector<egraph::ClassId>> write(const egraph::Rewrite& rule) {
    classes_.assign(rule.variables.classes.size(), std::nullopt);
    payloads_.assign(rule.variables.payloads.size(), std::nullopt);
    sizes_ = {pick({1, 7, 17, 31, 33}), pick({1, 2, 3}), pick({2, 3, 4})};
    dtype_ =
        pick({DType::kF32, DType::kF32, DType::kF32, DType::kF32, DType::kF16, DType::kBF16, DType::kI32, DType::kI8});
    last_end_ = 0;
    last_type_.reset();
    encoding_ = encoding_of(rule.name);
    std::vector<egraph::ClassId> roots;
    for (std::size_t i = 0; i < rule.lhs.patterns.size(); ++i) {
      const auto root = build(rule.lhs.patterns[i], rule.lhs.patterns[i].nodes.size() - 1);
      if (!root) return std::nullopt;
      classes_[rule.lhs.roots[i]] = *root;
      roots.push_back(*root);
    }
    return roots;
  }

  // What bounds the values of integer leaves, by name.
  const std::map<std::string, std::int64_t>& limits() const { return limits_; }

 private:
  using Id = std::optional<egraph::ClassId>;
  using Types = std::vector<std::optional<ir::TensorType>>;

  template <class T>
  T pick(std::initializer_list<T> choices) {
    return choices.begin()[random_() % choices.size()];
  }
  std::int64_t below(std::int64_t end) {
    return static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(end));
  }
  ir::Dim size() { return sizes_[static_cast<std::size_t>(below(3))]; }

  Id build(const egraph::Pattern& pattern, std::size_t index) {
    const egraph::PatternNode& node = pattern.nodes[index];
    if (node.kind == egraph::PatternNode::Kind::kVariable) return variable(node.variable, random_type());
    const ir::Op* const op = tensors_.op_of({node.op, 0, {}});
    if (op == nullptr) return tensors_.graph().add(node.op, node.payload);
    const auto children = operands(pattern, node, *op);
    return children ? add(node, *op, *children) : std::nullopt;
  }

  // Variables that nothing has bound come last, to fit the rest.
  std::optional<std::vector<egraph::ClassId>> operands(const egraph::Pattern& pattern, const egraph::PatternNode& node,
                                                       const ir::Op& op) {
    std::vector<Id> ids(node.children.size());
    Types types(ids.size());
    limit_ = 0;
    for (const bool may_be_free : {false, true}) {
      for (std::size_t i = 0; i < ids.size(); ++i) {
        const egraph::PatternNode& child = pattern.nodes[node.children[i]];
        const bool is_free = child.kind == egraph::PatternNode::Kind::kVariable && !classes_[child.variable];
        if (ids[i] || (is_free && !may_be_free)) continue;
        if (!is_free) {
          ids[i] = build(pattern, node.children[i]);
        } else {
          const auto type = operand_type(op, static_cast<int>(i), types);
          if (!type) return std::nullopt;
          ids[i] = variable(child.variable, *type);
        }
        if (!ids[i]) return std::nullopt;
        types[i] = tensors_.type(*ids[i]);
      }
    }
    std::vector<egraph::ClassId> result;
    for (const Id& id : ids) result.push_back(*id);
    return result;
  }

  Id add(const egraph::PatternNode& node, const ir::Op& op, const std::vector<egraph::ClassId>& children) {
    constexpr int kTries = 4;
    for (int i = 0; i < kTries; ++i) {
      const bool is_known = node.fixed_payload || payloads_[node.payload];
      const egraph::Payload payload = node.fixed_payload ? node.payload
                                      : is_known         ? *payloads_[node.payload]
                                                         : tensors_.payload(attributes(op, tensors_.type(children[0])));
      const auto type = tensors_.infer(op, children, tensors_.attributes(payload));
      if (!type && is_known) return std::nullopt;
      if (!type || ir::max_element_count(type->shape) > kMaxElements) continue;
      if (!node.fixed_payload) payloads_[node.payload] = payload;
      return tensors_.op(op, children, tensors_.attributes(payload));
    }
    return std::nullopt;
  }

  egraph::ClassId variable(std::uint32_t number, const ir::TensorType& type) {
    Id& id = classes_[number];
    if (!id) id = operand(type);
    return *id;
  }

  egraph::ClassId operand(const ir::TensorType& type) {
    if (type.rank() == 0) return tensors_.scalar(pick({0.0, 1.0, -1.0, 2.0, 0.125, 0.7, -3.0}), type.dtype);
    const LeafKind kind = kinds_[static_cast<std::size_t>(below(static_cast<std::int64_t>(kinds_.size())))];
    const std::string name = "x" + std::to_string(count_++);
    if (limit_ > 0) limits_[name] = limit_;
    limit_ = 0;
    const bool may_be_encoded = is_floating(type.dtype) || type.dtype == DType::kI8;
    const bool is_encoded = kind == LeafKind::kConstant && may_be_encoded && type.rank() == 2;
    return tensors_.leaf(kind, name, type, nullptr, is_encoded ? known_elements(type.dtype) : nullptr);
  }

  // What any encoding of the type holds; of bytes, where the rule is one of encoding, what no other one does in fewer
  // bits: as many codes in a row as it has, or two that are far apart.
  Elements known_elements(DType dtype) const {
    encoding::Statistics known;
    if (encoding_ != nullptr && dtype == DType::kI8 && encoding_->panels.number == dtype) {
      const std::size_t step = encoding_->looks_up ? 100 : 1,
                        count = encoding_->looks_up ? 2 : 1 << encoding_->panels.bits();
      for (std::size_t i = 0; i < count; ++i) known.bins(encoding_->statistics[0])[i * step] = 1;
      known.elements = static_cast<std::int64_t>(count);
    }
    return std::make_shared<encoding::Statistics>(known);
  }

  DType dtype() { return below(12) == 0 ? pick({DType::kF32, DType::kF16, DType::kBF16}) : dtype_; }

  ir::TensorType random_type() {
    if (last_type_ && below(3) != 0) return *last_type_;
    ir::TensorType type{dtype(), {}, {}, {}};
    const std::int64_t rank = pick({1, 2, 2, 2, 3});
    for (std::int64_t axis = 0; axis < rank; ++axis) type.shape.push_back(size());
    if (below(5) == 0) type.shape[0] = symbolic();
    last_type_ = type;
    return type;
  }

  static ir::Dim symbolic() {
    static const auto kSymbol = std::make_shared<const ir::Symbol>(ir::Symbol{"seq", 1, 40, 1});
    return {1, kSymbol};
  }

  // The i-th operand beside those that are known.
  std::optional<ir::TensorType> operand_type(const ir::Op& op, int i, const Types& known) {
    const auto letters = operand_letters().find(op.name());
    if (letters != operand_letters().end()) return lettered(letters->second, static_cast<std::size_t>(i), known);
    if (op.name() == "unpack" || (op.name() == "reshape" && below(4) == 0)) return packed(random_type());
    const auto other = std::ranges::find_if(known, [](const auto& type) { return type.has_value(); });
    if (other == known.end()) return below(10) == 0 ? ir::TensorType{dtype_, {}, {}, {}} : random_type();
    ir::TensorType type = **other;
    type.dtype = dtype() == dtype_ ? type.dtype : dtype();
    if (op.name() == "concat") {
      if (!type.shape.empty() && below(2) == 0) type.shape[static_cast<std::size_t>(below(type.rank()))] = size();
      return type;
    }
    // Broadcast: fewer axes, or none.
    const std::int64_t form = below(8);
    if (form < 3) type.shape.clear();
    if ((form == 3 || form == 4) && type.rank() > 1) type.shape.erase(type.shape.begin());
    return type;
  }

  std::optional<ir::TensorType> lettered(const std::vector<std::string>& letters, std::size_t index,
                                         const Types& known) {
    std::map<char, ir::Dim> sizes = {{'2', 2}, {'P', 512}};
    for (std::size_t i = 0; i < known.size(); ++i) {
      if (!known[i]) continue;
      const std::string axes = letters[i].substr(0, letters[i].find_first_of("#!?"));
      if (known[i]->rank() != static_cast<int>(axes.size())) return std::nullopt;
      for (std::size_t axis = 0; axis < axes.size(); ++axis) sizes.emplace(axes[axis], known[i]->shape[axis]);
    }
    const std::size_t mark = letters[index].find_first_of("#!?");
    const char marked = mark == std::string::npos ? ' ' : letters[index][mark];
    const bool is_byte = marked == '!' || (marked == '?' && below(2) == 0), is_integer = marked == '#';
    ir::TensorType type{is_byte ? DType::kI8 : is_integer ? DType::kI32 : dtype(), {}, {}, {}};
    for (const char letter : letters[index].substr(0, mark)) {
      const bool may_vary = (letter == 'm' || letter == 's') && below(4) == 0;
      // The context of a cache, or what is divided into blocks: half of them in whole groups of lanes.
      const bool is_whole = letter == 'c' && below(2) == 0;
      const ir::Dim any = is_whole || letter == 'q' ? ir::Dim(pick({16, 32}))
                          : letter == 'r'           ? ir::Dim(pick({1, 2}))
                          : letter == 'N'           ? ir::Dim(pick({2, 4, 14, 34}))
                          : letter == 'o'           ? ir::Dim(1)
                          : may_vary                ? symbolic()
                                                    : size();
      type.shape.push_back(sizes.emplace(letter, any).first->second);
    }
    if (is_integer) limit_ = sizes.at(letters[index][mark + 1]).min();
    return type;
  }

  ir::TensorType packed(ir::TensorType type) {
    if (type.rank() == 0) return type;
    const std::int64_t lanes = pick({4, 16});
    type.layout = ir::vector_layout(type.shape, lanes);
    ir::Layout other = {{{lanes, static_cast<int>(below(type.rank()))}}};
    if (type.dtype == DType::kBF16 && type.rank() == 2 && below(2) == 0) other = {{{lanes, 0}, {2, 1}}};
    if (type.dtype == DType::kI8 && type.rank() == 2 && below(2) == 0) other = {{{lanes, 0}, {4, 1}}};
    try {
      ir::TensorType changed = type;
      changed.layout = other;
      ir::check_layout(changed, "the test");
      return below(2) == 0 ? changed : type;
    } catch (const Error&) {
      return type;
    }
  }

  ir::Attributes attributes(const ir::Op& op, const ir::TensorType& x) {
    const std::string& name = op.name();
    if (name == "transpose") return {{"perm", permutation(x.rank())}};
    if (name == "slice") return slice(x);
    if (name == "reshape") return {{"shape", new_shape(x)}};
    if (name == "concat") return {{"axis", below(std::max(1, x.rank()))}};
    if (name == "cast") return {{"dtype", pick({DType::kF32, DType::kF32, DType::kF16, DType::kBF16})}};
    if (name == "round") return {{"dtype", pick({DType::kF32, DType::kF16, DType::kBF16})}};
    if (name == "pack") return {{"layout", packed(x).layout}};
    if (name == "largest_k") return {{"k", std::int64_t{1}}};
    if (ir::by_number(op) != nullptr) return {{"matrices", std::int64_t{2}}};
    if (name == "rms_norm" || name == "layer_norm") return {{"eps", 1e-3}};
    if (name == "window_mask") return {{"window", pick<std::int64_t>({1, 3, 20})}};
    if (name.ends_with("attention")) return attention(name);
    return {};
  }

  ir::Attributes attention(const std::string& name) {
    ir::Attributes attributes = {{"scale", 0.3}};
    if (name.starts_with("windowed")) attributes["window"] = pick<std::int64_t>({1, 3, 20});
    if (name.find("capped") != std::string::npos) attributes["softcap"] = 2.5;
    return attributes;
  }

  std::vector<std::int64_t> permutation(std::int64_t rank) {
    std::vector<std::int64_t> axes;
    for (std::int64_t axis = 0; axis < rank; ++axis) axes.push_back(axis);
    const std::int64_t form = below(3);
    if (form == 0 && rank > 1) std::swap(axes[rank - 1], axes[rank - 2]);
    if (form == 1) std::ranges::shuffle(axes, random_);
    return axes;
  }

  ir::Attributes slice(const ir::TensorType& x) {
    if (x.rank() == 0) return {};
    const std::int64_t axis = below(3) == 0 ? below(x.rank()) : x.rank() - 1;
    const std::int64_t size = x.shape[static_cast<std::size_t>(axis)].min();
    std::int64_t begin = 0;
    if (last_end_ > 0 && last_end_ < size && below(3) != 0) {
      begin = last_end_;
    } else if (below(3) == 0) {
      begin = below(size);
    }
    const std::int64_t end = below(3) == 0 ? size : begin + 1 + below(size - begin);
    last_end_ = end;
    return {{"axis", axis}, {"begin", begin}, {"end", end}};
  }

  std::vector<std::int64_t> new_shape(const ir::TensorType& x) {
    std::vector<std::int64_t> same;
    for (const ir::Dim& size : x.shape) same.push_back(size.is_constant() ? size.factor() : -1);
    if (same.empty()) return {1};
    std::vector<std::int64_t> turned(same.rbegin(), same.rend());
    if (same.size() == 2 && same[0] > 0 && same[0] % 2 == 0 && below(3) == 0) return {2, same[0] / 2, same[1]};
    return pick<std::vector<std::int64_t>>({same, turned, {-1}, {-1, 1}, {1, -1}, {-1, same.back()}});
  }

  static constexpr std::int64_t kMaxElements = 1'200;

  TensorGraph& tensors_;
  Random& random_;
  std::vector<LeafKind> kinds_;
  std::vector<Id> classes_;
  std::vector<std::optional<egraph::Payload>> payloads_;
  std::vector<std::int64_t> sizes_;
  DType dtype_ = DType::kF32;
  std::optional<ir::TensorType> last_type_;       // operands are often alike
  std::int64_t last_end_ = 0;                     // of the latest slice: neighbours begin there
  const encoding::Encoding* encoding_ = nullptr;  // that the rule brings in
  std::int64_t limit_ = 0;                        // of the next leaf
  std::int64_t count_ = 0;
  std::map<std::string, std::int64_t> limits_;
};

}  // namespace strata::rules
