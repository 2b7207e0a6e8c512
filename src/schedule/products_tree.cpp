// SPDX-License-Identifier: Apache-2.0
#include "schedule/products_tree.h"

#include <algorithm>

#include "base/ranges.h"
#include "machine/cost.h"
#include "schedule/contraction_tree.h"
#include "schedule/op_cost.h"
#include "schedule/own_loops.h"

namespace strata::schedule {
namespace {

using Kind = TileNode::Kind;
using Nodes = std::vector<TileNode>;

// A product as its own tree has it: inside of a thread's share of the columns, for few rows or for all.
struct Inside {
  std::int64_t rows = 0;  // of a block; 0: all
  Nodes nodes;
};

Inside inside(const Nodes& share, int m) {
  const bool is_cut = share.size() == 1 && share[0].kind == Kind::kSerial && share[0].iterator == m;
  return is_cut ? Inside{share[0].step, share[0].body} : Inside{0, share};
}

// The columns of a product's own tree that a share is a multiple of.
std::int64_t columns_of(const ScheduledOp& region, const ProductStage& product) {
  return region.parts[product.part].tree.body[0].step;
}

// In steps of the columns' iterator.
std::int64_t group_of(const ScheduledOp& region) {
  std::int64_t group = 1;
  for (const ProductStage& product : region.products) {
    group = std::max(group, product.steps(columns_of(region, product)));
  }
  return group;
}

// In columns.
std::int64_t panels_of(const ScheduledOp& region) {
  std::int64_t columns = 1;
  for (const ProductStage& product : region.products) columns = std::max(columns, columns_of(region, product));
  return columns;
}

// A product's own tree, of which threads share the columns alone.
TileTree tree_of(const ScheduledOp& product, const machine::Machine& machine) {
  if (unit_rows(product) == 0) return product.tree;
  return contraction_tree(product, machine, predicted_tiles(product, machine));
}

bool is_product(const ScheduledOp& region, int stage) {
  return std::ranges::count(region.products, stage, &ProductStage::stage) > 0;
}

class ProductsTree {
 public:
  ProductsTree(const ScheduledOp& region, const machine::Machine& machine, const std::vector<const ir::Expr*>& leaving,
               std::int64_t columns, std::int64_t unit_rows)
      : region_(region),
        nest_(*region.nest),
        machine_(machine),
        leaving_(leaving),
        m_(nest_.result().target[0]),
        n_(nest_.result().target[1]),
        unit_rows_(unit_rows),
        columns_(unit_rows == 0 ? columns : group_of(region)) {
    for (const ScheduledOp& part : region.parts)
      trees_.push_back(part.contraction ? tree_of(part, machine) : TileTree());
  }

  TileTree run() const {
    TileTree tree;
    for (const ir::Iterator& iterator : nest_.iterators) tree.iterators.push_back({iterator.name, iterator.extent});
    tree.body = {shared_columns(n_, group_of(region_), m_, unit_rows_, by_row_count())};
    return tree;
  }

 private:
  const ScheduledOp& part(const ProductStage& product) const { return region_.parts[product.part]; }
  const TileNode& share(const ProductStage& product) const { return trees_[product.part].body[0]; }

  const TileNode* when(const ProductStage& product) const {
    const Nodes& body = share(product).body;
    return body.size() == 1 && body[0].kind == Kind::kWhen ? body.data() : nullptr;
  }

  Nodes by_row_count() const {
    const TileNode* const first = when(region_.products[0]);
    const std::int64_t all = nest_.iterators[static_cast<std::size_t>(m_)].extent.max();
    const std::int64_t most = unit_rows_ == 0 ? all : std::min(all, unit_rows_);
    const auto of_few = [&](const ProductStage& product) -> const Nodes& {
      const TileNode* const few = when(product);
      return few == nullptr ? share(product).body : few->body;
    };
    if (first == nullptr) return rows(most, of_few);
    TileNode node = loop_node(Kind::kWhen, m_, first->step, rows(std::min(most, first->step), of_few));
    node.otherwise = rows(most, [&](const ProductStage& product) -> const Nodes& {
      const TileNode* const few = when(product);
      return few == nullptr ? share(product).body : few->otherwise;
    });
    for (TileNode& other : node.otherwise) rename(other, "_");
    return {std::move(node)};
  }

  // Buffers of the other case have names of their own.
  static void rename(TileNode& node, const std::string& suffix) {
    if (!node.buffer.empty()) node.buffer += suffix;
    for (std::string& name : node.with) name += suffix;
    for (TileNode& inner : node.body) rename(inner, suffix);
  }

  // Blocks of at most `most` rows, of which each part of the columns is finished before the next one.
  Nodes rows(std::int64_t most, const auto& nodes_of) const {
    std::vector<Inside> all;
    std::int64_t block = 0;
    for (const ProductStage& product : region_.products) {
      const ir::Contraction& own = *part(product).contraction;
      all.push_back(inside(nodes_of(product), *own.only(ir::IteratorClass::kM)));
      if (all.back().rows != 0) block = block == 0 ? all.back().rows : std::min(block, all.back().rows);
    }
    const std::int64_t block_rows = block == 0 ? most : std::min(block, most);
    const int level = tile_level(all, block_rows);
    Nodes nodes;
    for (const ProductStage& product : region_.products) {
      if (is_inside(product)) nodes.push_back(tile(product.stage, block_rows * columns_ * product.unit, level));
    }
    for (std::size_t i = 0; i < all.size(); ++i) add_product(region_.products[i], std::move(all[i].nodes), nodes);
    nodes.push_back(behind());
    if (unit_rows_ == 0) nodes = {loop_node(Kind::kSerial, n_, columns_, std::move(nodes))};
    const bool is_whole = block == 0 || (unit_rows_ != 0 && block >= unit_rows_);
    return is_whole ? nodes : Nodes{loop_node(Kind::kSerial, m_, block, std::move(nodes))};
  }

  bool is_inside(const ir::Expr* value) const { return value == nullptr || !contains(leaving_, value); }
  bool is_inside(const ProductStage& product) const {
    const ir::Expr& all = *part(product).value;
    const ir::Dim& steps = nest_.iterators[static_cast<std::size_t>(n_)].extent;
    const bool is_whole = steps.max() * product.unit == all.type().shape.back().max();
    return is_inside(is_whole ? &all : region_.made[static_cast<std::size_t>(product.stage)]);
  }

  static std::string name(int stage) { return "tile" + std::to_string(stage); }

  TileNode tile(int stage, std::int64_t elements, int level) const {
    TileNode buffer = buffer_node(name(stage), {DType::kF32, elements}, machine_);
    buffer.level = std::max(buffer.level, level);
    return buffer;
  }

  // What holds the tiles beside the blocks that are read until the maps come.
  int tile_level(const std::vector<Inside>& products, std::int64_t rows) const {
    std::int64_t bytes = 0;
    for (std::size_t i = 0; i < products.size(); ++i) {
      const ScheduledOp& product = part(region_.products[i]);
      const ir::Contraction& of = *product.contraction;
      const ir::TensorType& left = product.value->arguments[static_cast<std::size_t>(of.left)]->type();
      const Nodes& own = products[i].nodes;
      const bool is_cut = own[0].kind == Kind::kSerial && own[0].iterator == *of.only(ir::IteratorClass::kK);
      const std::int64_t depth = is_cut ? std::min(own[0].step, left.shape.back().max()) : 0;
      const auto element = static_cast<std::int64_t>(dtype_size(left.dtype));
      bytes += rows * columns_ * region_.products[i].unit * static_cast<std::int64_t>(sizeof(float));
      if (i == 0) bytes += (rows + 2 * panels_of(region_)) * depth * element;
    }
    return machine::level_holding(machine_, static_cast<double>(bytes));
  }

  // The nodes of a product's own tree, of which the iterators and buffers are the region's.
  void add_product(const ProductStage& product, Nodes own, Nodes& nodes) const {
    for (TileNode& node : own) {
      adopt(product, node);
      nodes.push_back(std::move(node));
    }
  }

  void adopt(const ProductStage& product, TileNode& node) const {
    const std::string suffix = std::to_string(product.stage);
    if (node.iterator >= 0) node.iterator = number_of(product, node.iterator);
    if (node.kind == Kind::kBuffer) node.buffer += suffix;
    for (std::string& buffer : node.with) buffer += suffix;
    if (node.kind == Kind::kCompute) {
      node.stage = product.stage;
      if (is_inside(product)) node.buffer = name(product.stage);
    }
    for (TileNode& inner : node.body) adopt(product, inner);
  }

  int number_of(const ProductStage& product, int own) const {
    using Class = ir::IteratorClass;
    const Class of = part(product).contraction->classes[static_cast<std::size_t>(own)];
    return of == Class::kM ? m_ : of == Class::kN ? n_ : *product.of.only(Class::kK);
  }

  // What follows the products of a tile: the maps, and tiles of rows of what they make for a leaf.
  TileNode behind() const {
    if (!are_maps()) return loops_of_units();
    if (!takes_rows()) return maps();
    const int last = static_cast<int>(nest_.stages.size()) - 1;
    const std::int64_t rows = region_.value->type().layout.lanes(0);
    Nodes nodes;
    if (is_inside(region_.made.back())) {
      const DType dtype = region_.made.back()->type().dtype;
      nodes.push_back(buffer_node(name(last), {dtype, rows * columns_}, machine_));
    }
    nodes.push_back(maps());
    TileNode leaf;
    leaf.leaf = region_.leaf;
    nodes.push_back(std::move(leaf));
    return loop_node(Kind::kSerial, m_, rows, std::move(nodes));
  }

  bool takes_rows() const { return region_.leaf->domain == cost::Leaf::Domain::kLoop; }

  bool are_maps() const {
    return std::ranges::all_of(nest_.stages, [&](const ir::Stage& stage) {
      return stage.combiner == ir::Combiner::kNone && stage.target == std::vector{m_, n_};
    });
  }

  // All other stages, for each row and unit of the columns in loops of their own.
  TileNode loops_of_units() const {
    Nodes nodes = own_loops_inside(region_, own_lanes(), machine_, leaving_, {m_, n_});
    const bool is_one = columns_ == 1 && unit_rows_ == 0;  // then the loop around the parts counts single ones
    if (!is_one) nodes = {loop_node(Kind::kSerial, n_, 1, std::move(nodes))};
    return loop_node(Kind::kSerial, m_, 1, std::move(nodes));
  }

  // All other stages, together in lanes.
  TileNode maps() const {
    Nodes nodes;
    std::int64_t lanes = own_lanes();
    for (int stage = 0; stage < std::ssize(nest_.stages); ++stage) {
      if (is_product(region_, stage)) continue;
      TileNode node;
      node.leaf = &cost::leaf("loops");
      node.stage = stage;
      const ir::Expr* const value = region_.made[static_cast<std::size_t>(stage)];
      const bool is_last = stage + 1 == std::ssize(nest_.stages);
      node.in_lanes = !is_last && is_inside(value);
      if (is_last && takes_rows() && is_inside(value)) node.buffer = name(stage);
      if (!can_run_in_lanes(nest_, stage, n_, lanes)) lanes = 1;
      nodes.push_back(std::move(node));
    }
    return loop_node(Kind::kSerial, m_, 1, {loop_node(Kind::kVector, n_, lanes, std::move(nodes))});
  }

  std::int64_t own_lanes() const {
    const auto own = std::ranges::find_if(
        region_.parts, [](const ScheduledOp& part) { return part.leaf->domain == cost::Leaf::Domain::kOwn; });
    std::vector<ir::TensorType> types;
    for (const ir::Expr* argument : own->value->arguments) types.push_back(argument->type());
    return cost::loop_lanes(types);
  }

  const ScheduledOp& region_;
  const StridedNest& nest_;
  const machine::Machine& machine_;
  const std::vector<const ir::Expr*>& leaving_;
  const int m_, n_;
  const std::int64_t unit_rows_;
  const std::int64_t columns_;
  std::vector<TileTree> trees_;  // by part: a product's own
};

}  // namespace

TileTree products_tree(const ScheduledOp& region, const machine::Machine& machine,
                       const std::vector<const ir::Expr*>& leaving, std::int64_t columns, std::int64_t unit_rows) {
  return ProductsTree(region, machine, leaving, columns, unit_rows).run();
}

std::vector<std::int64_t> column_parts(const ScheduledOp& region) {
  const auto n = static_cast<std::size_t>(region.nest->result().target[1]);
  const std::int64_t all = region.nest->iterators[n].extent.max(), group = group_of(region);
  const std::int64_t groups = (all + group - 1) / group;
  std::vector<std::int64_t> parts = {groups * group};
  for (std::int64_t count = 2; count <= groups; ++count) {
    const std::int64_t part = (groups + count - 1) / count * group;
    if (part < parts.back()) parts.push_back(part);
  }
  return parts;
}

TileTree fastest_products_tree(const ScheduledOp& region, const machine::Machine& machine,
                               const std::vector<const ir::Expr*>& leaving) {
  ScheduledOp tried = region;
  TileTree best;
  double least = 0;
  for (const std::int64_t columns : column_parts(region)) {
    tried.tree = products_tree(region, machine, leaving, columns);
    const double seconds = op_cost(tried, machine).seconds;
    if (!best.body.empty() && seconds >= least) continue;
    best = std::move(tried.tree);
    least = seconds;
  }
  return best;
}

std::int64_t panel_lanes(const ScheduledOp& product) {
  const ir::Contraction& of = *product.contraction;
  return product.value->arguments[static_cast<std::size_t>(of.right)]->type().layout.packs.at(0).lanes;
}

ScheduledOp product_part(const ScheduledOp& region, const ProductStage& product) {
  ScheduledOp part = region.parts[product.part];
  part.contraction = product.of;
  part.tree = {region.tree.iterators, {}};
  return part;
}

}  // namespace strata::schedule
