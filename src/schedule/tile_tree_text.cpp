// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/dtype.h"
#include "base/error.h"
#include "ir/text_scanner.h"
#include "schedule/tile_tree.h"

namespace strata::schedule {
namespace {

using Kind = TileNode::Kind;

std::string list_text(const std::vector<TileNode>& nodes, const TileTree& tree, const machine::Machine& machine,
                      int indent);

std::string with_text(const TileNode& node) {
  std::string text;
  for (std::size_t i = 0; i < node.with.size(); ++i) text += (i == 0 ? " with " : ", ") + node.with[i];
  return text;
}

std::string compute_text(const TileNode& node) {
  if (is_own_stage(node)) {
    return "stage " + std::to_string(node.stage) +
           (node.in_lanes         ? " in lanes"
            : node.buffer.empty() ? ""
                                  : " into " + node.buffer);
  }
  std::string text = "leaf " + std::string(node.leaf->name);
  if (node.rows != 0) text += " rows " + std::to_string(node.rows);
  if (node.leaf->domain == cost::Leaf::Domain::kContraction || node.rows != 0) {
    text += " panels " + std::to_string(node.panels);
  }
  if (node.stream.element_bits != 0) {
    text += " ahead " + std::to_string(node.stream.ahead_bytes) + " locality " + std::to_string(node.stream.locality);
  }
  text += with_text(node);
  if (node.stage >= 0) text += " for stage " + std::to_string(node.stage);
  if (!node.buffer.empty()) text += " into " + node.buffer;
  return text;
}

std::string level_text(const TileNode& node, const machine::Machine& machine) {
  return node.level < 0 ? "" : " in " + machine.memory[static_cast<std::size_t>(node.level)].name;
}

std::string buffer_text(const TileNode& node, const machine::Machine& machine) {
  const std::string slots = node.slots == 0 ? "" : std::to_string(node.slots) + ", ";
  return (node.slots == 0 ? "buffer " : "shared ") + node.buffer + ": " + std::string(dtype_name(node.holds.dtype)) +
         "[" + slots + std::to_string(node.holds.elements) + "]" + level_text(node, machine);
}

std::string copied_text(const TileNode& node, const TileTree& tree) {
  std::string text;
  switch (node.of) {
    case CopyOf::kOperand:
      text = "operand " + std::to_string(node.copied);
      break;
    case CopyOf::kAccess:
      text = "access " + std::to_string(node.copied);
      break;
    case CopyOf::kStage:
      text = "stage " + std::to_string(node.copied);
      break;
    case CopyOf::kResult:
      text = "result";
      break;
  }
  for (std::size_t i = 0; i < node.along.size(); ++i) {
    text += (i == 0 ? "[" : ", ") + tree.iterators[static_cast<std::size_t>(node.along[i])].name;
  }
  return node.along.empty() ? text : text + "]";
}

std::string copy_text(const TileNode& node, const TileTree& tree) {
  if (is_copied_out(node.of)) return "copy " + node.buffer + " into " + copied_text(node, tree);
  return "copy " + copied_text(node, tree) + " into " + node.buffer;
}

const char* loop_text(Kind kind) {
  switch (kind) {
    case Kind::kParallel:
      return "parallel";
    case Kind::kSerial:
      return "serial";
    case Kind::kVector:
      return "vector";
    case Kind::kNumbered:
      return "numbered";
    case Kind::kOnce:
    case Kind::kEach:
    case Kind::kWhen:
    case Kind::kBarrier:
    case Kind::kBuffer:
    case Kind::kCopy:
    case Kind::kCompute:
      break;
  }
  return "";
}

std::string node_text(const TileNode& node, const TileTree& tree, const machine::Machine& machine, int indent) {
  const std::string margin(static_cast<std::size_t>(indent), ' ');
  if (node.kind == Kind::kCompute) return margin + compute_text(node) + "\n";
  if (node.kind == Kind::kBuffer) return margin + buffer_text(node, machine) + "\n";
  if (node.kind == Kind::kCopy) return margin + copy_text(node, tree) + "\n";
  if (node.kind == Kind::kBarrier) return margin + "barrier\n";
  const std::string body = " {\n" + list_text(node.body, tree, machine, indent + 2) + margin + "}";
  if (node.kind == Kind::kOnce) return margin + "once" + body + "\n";
  if (node.kind == Kind::kEach) return margin + "each" + body + "\n";
  const TileIterator& iterator = tree.iterators[static_cast<std::size_t>(node.iterator)];
  if (node.kind == Kind::kWhen) {
    return margin + "when " + iterator.name + " <= " + std::to_string(node.step) + body + " else {\n" +
           list_text(node.otherwise, tree, machine, indent + 2) + margin + "}\n";
  }
  if (node.parts != 0) return margin + "split " + iterator.name + " into " + std::to_string(node.parts) + body + "\n";
  return margin + loop_text(node.kind) + " " + iterator.name + " by " + std::to_string(node.step) +
         level_text(node, machine) + with_text(node) + body + "\n";
}

std::string list_text(const std::vector<TileNode>& nodes, const TileTree& tree, const machine::Machine& machine,
                      int indent) {
  std::string text;
  for (const TileNode& node : nodes) text += node_text(node, tree, machine, indent);
  return text;
}

// Deeper than any tree that is of use, and shallow enough for the stack.
constexpr int kMaxDepth = 64;

// Of a buffer, and all its slots: so that its bytes can be added up.
constexpr std::int64_t kMaxElements = std::int64_t{1} << 40;

// More than a machine has threads.
constexpr int kMaxParts = 1 << 16;

class Parser {
 public:
  Parser(ir::TextScanner& in, const TileTree& region, const machine::Machine& machine)
      : in_(in), region_(region), machine_(machine) {}

  std::vector<TileNode> run() {
    std::vector<TileNode> nodes;
    while (!in_.at_end()) nodes.push_back(node());
    return nodes;
  }

  std::vector<TileNode> body() {
    if (++depth_ > kMaxDepth) in_.fail("loops are nested too deep", "nest at most " + std::to_string(kMaxDepth));
    std::vector<TileNode> nodes;
    in_.expect("{");
    while (!in_.accept("}")) nodes.push_back(node());
    --depth_;
    return nodes;
  }

 private:
  TileNode node() {
    const std::size_t at = in_.position();
    const std::string word = in_.identifier("a node of a tile tree");
    if (word == "stage") return stage();
    if (word == "leaf") return leaf();
    if (word == "buffer" || word == "shared") return buffer(word == "shared");
    if (word == "copy") return copy();
    if (word == "split") return split();
    if (word == "barrier") return {.kind = Kind::kBarrier};
    if (word == "once" || word == "each") {
      TileNode owned{.kind = word == "once" ? Kind::kOnce : Kind::kEach};
      owned.body = body();
      return owned;
    }
    if (word == "when") return when();
    for (const Kind kind : {Kind::kParallel, Kind::kSerial, Kind::kVector, Kind::kNumbered}) {
      if (word == loop_text(kind)) return loop(kind);
    }
    in_.fail_at(
        at, "'" + word + "' is no node of a tile tree",
        "write parallel, split, serial, vector, numbered, once, when, barrier, buffer, shared, copy, stage or leaf");
  }

  int iterator() {
    const std::size_t at = in_.position();
    const std::string name = in_.identifier("an iterator");
    const auto found = std::ranges::find(region_.iterators, name, &TileIterator::name);
    if (found == region_.iterators.end()) in_.fail_at(at, "the region has no iterator " + name);
    return static_cast<int>(found - region_.iterators.begin());
  }

  std::int64_t positive(const std::string& what) {
    const std::size_t at = in_.position();
    const std::int64_t value = in_.integer(what);
    if (value < 1) in_.fail_at(at, what + " is less than 1");
    return value;
  }

  int up_to(int most, const std::string& what) {
    const std::size_t at = in_.position();
    const std::int64_t value = in_.integer(what);
    if (value < 0 || value > most) in_.fail_at(at, what + " is not from 0 to " + std::to_string(most));
    return static_cast<int>(value);
  }

  TileNode loop(Kind kind) {
    TileNode node{.kind = kind, .iterator = iterator()};
    in_.expect_word("by");
    node.step = positive("a step");
    if (in_.accept_word("in")) node.level = level();
    if (kind == Kind::kNumbered) with(node);
    node.body = body();
    return node;
  }

  void with(TileNode& node) {
    if (!in_.accept_word("with")) return;
    do {
      node.with.push_back(in_.identifier("a buffer's name"));
    } while (in_.accept(","));
  }

  int level() {
    const std::size_t at = in_.position();
    const std::string name = in_.identifier("a memory level");
    const auto found = std::ranges::find(machine_.memory, name, &machine::MemoryLevel::name);
    if (found == machine_.memory.end()) in_.fail_at(at, "the machine has no memory level " + name);
    return static_cast<int>(found - machine_.memory.begin());
  }

  TileNode when() {
    TileNode node{.kind = Kind::kWhen, .iterator = iterator()};
    in_.expect("<=");
    node.step = positive("a size");
    node.body = body();
    in_.expect_word("else");
    node.otherwise = body();
    return node;
  }

  TileNode split() {
    TileNode node{.kind = Kind::kParallel, .iterator = iterator()};
    in_.expect_word("into");
    const std::size_t at = in_.position();
    node.parts = positive("a number of parts");
    if (node.parts > kMaxParts) in_.fail_at(at, "there are more than " + std::to_string(kMaxParts) + " parts");
    node.body = body();
    return node;
  }

  TileNode buffer(bool is_shared) {
    TileNode node{.kind = Kind::kBuffer, .buffer = in_.identifier("a buffer's name")};
    in_.expect(":");
    const std::size_t at = in_.position();
    const auto dtype = parse_dtype(in_.identifier("an element type"));
    if (!dtype) in_.fail_at(at, "there is no such element type");
    in_.expect("[");
    if (is_shared) {
      node.slots = positive("a number of slots");
      in_.expect(",");
    }
    node.holds = {*dtype, positive("a number of elements")};
    if (node.holds.elements > kMaxElements / std::max<std::int64_t>(node.slots, 1)) {
      in_.fail_at(at, "the buffer is too large");
    }
    in_.expect("]");
    if (in_.accept_word("in")) node.level = level();
    return node;
  }

  // "copy access 0[i0, k] into in0", "copy out into stage 1[i0, k]".
  TileNode copy() {
    TileNode node{.kind = Kind::kCopy};
    const std::string first = in_.identifier("what is copied");
    if (first == "operand" || first == "access") {
      node.of = first == "operand" ? CopyOf::kOperand : CopyOf::kAccess;
      copied(node);
      in_.expect_word("into");
      node.buffer = in_.identifier("a buffer's name");
      return node;
    }
    node.buffer = first;
    in_.expect_word("into");
    const std::size_t at = in_.position();
    const std::string target = in_.identifier("what is written");
    if (target != "stage" && target != "result") in_.fail_at(at, "only a stage or the result is copied out");
    node.of = target == "stage" ? CopyOf::kStage : CopyOf::kResult;
    copied(node);
    return node;
  }

  void copied(TileNode& node) {
    if (node.of != CopyOf::kResult) node.copied = up_to(1 << 20, "a number");
    if (!in_.accept("[")) return;
    do {
      node.along.push_back(iterator());
    } while (in_.accept(","));
    in_.expect("]");
  }

  TileNode stage() {
    TileNode node;
    node.leaf = &cost::leaf("loops");
    node.stage = stage_number();
    if (in_.accept_word("into")) {
      node.buffer = in_.identifier("a buffer's name");
    } else if (in_.accept_word("in")) {
      in_.expect_word("lanes");
      node.in_lanes = true;
    }
    return node;
  }

  int stage_number() {
    const std::int64_t number = in_.integer("a stage's number");
    if (number < 0) in_.fail("a stage's number is negative", "count from 0");
    return static_cast<int>(std::min<std::int64_t>(number, 1 << 20));
  }

  TileNode leaf() {
    const std::size_t at = in_.position();
    std::string name = in_.identifier("a leaf");
    while (in_.accept("-")) name += "-" + in_.identifier("a leaf");
    const auto leaves = cost::all_leaves();
    const auto found = std::ranges::find(leaves, name, &cost::Leaf::name);
    if (found == leaves.end()) in_.fail_at(at, "there is no leaf " + name);
    TileNode node;
    node.leaf = &*found;
    if (in_.accept_word("rows")) node.rows = positive("a number of rows");
    if (in_.accept_word("panels")) node.panels = positive("a number of panels");
    if (in_.accept_word("ahead")) {
      node.stream = {1, static_cast<int>(node.panels), up_to(1 << 20, "a distance in bytes"), 0};
      in_.expect_word("locality");
      node.stream.locality = up_to(3, "a locality");
    }
    with(node);
    if (in_.accept_word("for")) {
      in_.expect_word("stage");
      node.stage = stage_number();
    }
    if (in_.accept_word("into")) node.buffer = in_.identifier("a buffer's name");
    return node;
  }

  ir::TextScanner& in_;
  const TileTree& region_;
  const machine::Machine& machine_;
  int depth_ = 0;
};

}  // namespace

TileNode loop_node(Kind kind, int iterator, std::int64_t step, std::vector<TileNode> body) {
  TileNode node{.kind = kind, .iterator = iterator, .step = step};
  node.body = std::move(body);
  return node;
}

std::optional<TileTree> in_each_thread(const TileTree& tree) {
  if (tree.body.size() != 1) return std::nullopt;
  const TileNode& node = tree.body[0];
  const bool is_small = node.kind == Kind::kParallel && divided_inside(node) == nullptr && node.parts == 0 &&
                        tree.iterators[static_cast<std::size_t>(node.iterator)].extent.max() <= node.step;
  if (node.kind != Kind::kOnce && !is_small) return std::nullopt;
  TileNode each{.kind = Kind::kEach};
  each.body = node.body;
  return TileTree{tree.iterators, {std::move(each)}};
}

bool is_in_each_thread(const TileTree& tree) {
  return std::ranges::any_of(tree.body, [](const TileNode& node) { return node.kind == Kind::kEach; });
}

const TileNode* divided_inside(const TileNode& node) {
  const bool is_one = node.body.size() == 1 && node.body[0].kind == Kind::kParallel;
  return is_one ? node.body.data() : nullptr;
}

const TileNode* find_split(const std::vector<TileNode>& nodes) {
  for (const TileNode& node : nodes) {
    if (node.kind == Kind::kParallel && node.parts != 0) return &node;
    if (const TileNode* const found = find_split(node.body)) return found;
    if (const TileNode* const found = find_split(node.otherwise)) return found;
  }
  return nullptr;
}

const TileNode* last_compute(const TileNode& node) {
  if (node.kind == Kind::kCompute) return &node;
  for (auto inner = node.body.rbegin(); inner != node.body.rend(); ++inner) {
    if (const TileNode* const found = last_compute(*inner)) return found;
  }
  return nullptr;
}

bool has_barrier_inside(const TileTree& tree) {
  const auto first = std::ranges::find_if(tree.body, is_work);
  const auto barrier =
      std::find_if(first, tree.body.end(), [](const TileNode& node) { return node.kind == Kind::kBarrier; });
  return std::any_of(barrier, tree.body.end(), is_work);
}

const TileNode* first_barrier(const TileTree& tree) {
  return !tree.body.empty() && tree.body[0].kind == Kind::kBarrier ? tree.body.data() : nullptr;
}

bool is_own_stage(const TileNode& node) {
  return node.kind == Kind::kCompute && node.stage >= 0 && node.leaf->domain == cost::Leaf::Domain::kOwn;
}

const TileNode* find_stage(const std::vector<TileNode>& nodes, int stage) {
  for (const TileNode& node : nodes) {
    if (node.kind == Kind::kCompute && node.stage == stage) return &node;
    if (const TileNode* const found = find_stage(node.body, stage)) return found;
    if (const TileNode* const found = find_stage(node.otherwise, stage)) return found;
  }
  return nullptr;
}

const TileNode* find_buffer(const std::vector<TileNode>& nodes, const std::string& name) {
  for (const TileNode& node : nodes) {
    if (node.kind == Kind::kBuffer && node.buffer == name) return &node;
    if (const TileNode* const found = find_buffer(node.body, name)) return found;
    if (const TileNode* const found = find_buffer(node.otherwise, name)) return found;
  }
  return nullptr;
}

bool has_copies(const std::vector<TileNode>& nodes) {
  return std::ranges::any_of(nodes, [](const TileNode& node) {
    return node.kind == Kind::kCopy || has_copies(node.body) || has_copies(node.otherwise);
  });
}

std::string to_text(const TileTree& tree, const machine::Machine& machine, int indent) {
  return list_text(tree.body, tree, machine, indent);
}

std::vector<TileNode> parse_tile_tree(std::string_view text, const std::string& origin, const TileTree& region,
                                      const machine::Machine& machine) {
  ir::TextScanner in(text, origin);
  return Parser(in, region, machine).run();
}

std::vector<TileNode> parse_tile_nodes(ir::TextScanner& in, const TileTree& region, const machine::Machine& machine) {
  return Parser(in, region, machine).body();
}

}  // namespace strata::schedule
