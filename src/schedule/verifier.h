// SPDX-License-Identifier: Apache-2.0
// The verifier behind verify() (schedule/verify.h), in three files: of the tree, its loops and stages (verify.cpp); of
// leaves (verify_leaves.cpp); of copies (verify_copies.cpp).
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "schedule/attention_tree.h"
#include "schedule/schedule.h"
#include "schedule/tile_image.h"

namespace strata::schedule {

// Walks over a tree, and throws where it does not hold (schedule/verify.h).
class Verifier {
 public:
  Verifier(const ScheduledOp& op, const machine::Machine& machine) : op_(op), machine_(machine) {}

  void run();

 private:
  using Kind = TileNode::Kind;
  using Domain = cost::Leaf::Domain;

  // How far an iterator has been cut where a node stands.
  struct Cut {
    std::int64_t step = 0;           // 0: not at all, or only divided among the threads
    const TileNode* loop = nullptr;  // the one that does
    bool is_vector = false;
    bool is_divided = false;
    std::int64_t grain = 0;  // its parts begin at multiples of this; 0: at the first index only
    std::int64_t most = 0;   // steps in the case for few; 0: all
    IteratorPart part = {};  // as copies see it
  };

  // What shares work among threads where a stage is computed, and the barriers so far.
  struct Writer {
    const TileNode* node = nullptr;
    const TileNode* owner = nullptr;
    int barriers = 0;
  };

  struct Buffer {
    const TileNode* node = nullptr;
    std::vector<Cut> cuts;  // where it stands
  };

  // What a buffer holds of memory.
  struct Copied {
    CopyOf of = CopyOf::kOperand;
    int number = 0;
  };

  [[noreturn]] void fail(const std::string& what) const;

  // The number of what makes the result: the last stage, or the leaf.
  int result() const { return has_leaf() ? -1 : static_cast<int>(stages()) - 1; }

  std::size_t stages() const { return op_.nest ? op_.nest->stages.size() : 0; }
  bool has_leaf() const { return !op_.is_call() && op_.leaf->domain != Domain::kOwn; }
  const ir::Stage& stage(int number) const { return op_.nest->stages[static_cast<std::size_t>(number)]; }

  std::span<const std::string_view> parts() const;
  std::string missing(std::size_t stage) const;
  std::string name(int iterator) const { return op_.tree.iterators[static_cast<std::size_t>(iterator)].name; }

  // Buffers and the values of stages are there for the nodes behind them in their list.
  void visit(const std::vector<TileNode>& nodes);
  void visit(const TileNode& node);
  static bool has_iterator(const TileNode& node);
  void visit_buffer(const TileNode& node);
  static std::string copied_name(CopyOf of, int number);
  TileImage image(CopyOf of, int number) const;
  static std::vector<IteratorPart> parts_of(const std::vector<Cut>& cuts);

  // Into a buffer that holds what the ranges here touch, which is all that the ranges inside touch; out of one, once
  // for each tile that it holds.
  void visit_copy(const TileNode& node);
  std::string names(const std::vector<int>& iterators) const;
  void check_holds(const TileNode& node, const TileImage& of, const std::vector<Cut>& cuts) const;

  // Where a tile lies is read from a buffer, of one number.
  void check_numbers(const std::string& what, int numbers) const;
  bool is_copied(CopyOf of, int number) const;
  void visit_copy_out(const TileNode& node, const Buffer& buffer);

  // A stage reads and writes buffers alone.
  void check_copies(const TileNode& node) const;
  void check_accesses(const TileNode& node, const ir::ScalarExpr& body) const;

  // A leaf of an op reads and writes buffers alone.
  void check_leaf_copies(const TileNode& node);
  const Buffer* find_buffer(const std::string& name) const;

  // What a leaf of an op works in holds at least what it needs where it stands.
  void check_scratch(const ScheduledOp& op, const TileNode& node) const;
  static std::string word(const TileNode& node, std::size_t buffer);

  // Of a reduction that threads share: a slot for each part of each tile; 0: none does.
  std::int64_t slots() const;

  void check_buffer(const std::string& leaf, const std::string& name, const cost::Scratch& needed,
                    std::int64_t slots) const;

  // The most steps of each iterator that a leaf meets here at once.
  std::vector<std::int64_t> extents() const;

  // The most steps of an iterator at once.
  std::int64_t steps(int iterator, const Cut& cut) const;
  void visit_owned(const TileNode& node);
  void visit_parallel(const TileNode& node);

  // What threads sum by themselves must be combined: by the op's own leaf.
  void check_split(const TileNode& node) const;
  bool is_reduced(int iterator) const;
  void visit_loop(const TileNode& node);

  // The bounds of an attention's keys are read from buffers too.
  void check_bounds(const TileNode& node) const;
  bool is_row(int iterator) const { return has_leaf() && op_.leaf->loop.takes_row_tiles && iterator == op_.rows; }

  // The stage that adds up along this loop; -1: there is none.
  int reduced_stage(const TileNode& node) const;

  // Lanes run through stages together: maps, whose neighbours lie side by side where they are kept, and at the end at
  // most one that reduces along them.
  void check_vector(const TileNode& node, std::int64_t grain) const;

  // Whether a stage's elements go to memory: those of a value, unless they stay in lanes.
  bool is_kept(const TileNode& node) const;
  void visit_when(const TileNode& node);

  // Behind a division of the columns alone: its body is the tree of the product of one matrix.
  void visit_numbered(const TileNode& node);
  void visit_stage(const TileNode& node);

  // A product of a tile of rows and columns, in blocks of what it sums along, into the tile's buffer or to its place in
  // memory.
  void visit_product(const TileNode& node);

  // The buffer holds the rows and columns of one call, for all blocks of what is summed; no other loop repeats it.
  void check_product_tile(const TileNode& node, const ProductStage& product) const;
  void check_keeping(const TileNode& node) const;
  std::int64_t tile_elements(const ir::Stage& of, const std::vector<Cut>& cuts) const;
  void check_read_stages(const ir::ScalarExpr& body) const;

  // A stage is read where its value is at hand, or from the memory that its elements are kept in.
  void check_read(std::size_t number) const;
  void mark(std::size_t stage);
  void visit_leaf(const TileNode& node);

  // A leaf that reads what stages make gets whole rows of it, those that its buffer holds.
  void check_tile(const TileNode& node) const;
  void check_rows() const;
  void check_unit(int iterator, std::int64_t step) const { check_multiple(iterator, step, block_unit(op_, iterator)); }

  void check_multiple(int iterator, std::int64_t step, std::int64_t unit) const;
  std::size_t part_of(const TileNode& node) const;

  // Each behind the one before it, for the same rows and keys and in the same memory.
  void check_part(const TileNode& node);

  // A leaf that takes no blocks gets all of m and k; units are whole row tiles, panels, and groups along k. `columns`:
  // for each step of n.
  void check_blocks(const ScheduledOp& op, const cost::Leaf& leaf, std::int64_t columns = 1) const;

  // Of a contraction the block of the left operand is what stays, of an attention that of the keys.
  void check_level(const TileNode& node) const;
  void check_block(const ir::Expr& value, int operand, const std::vector<int>& axes, int level) const;
  void check_capacity(std::int64_t bytes, int at, const std::string& what) const;

  const ScheduledOp& op_;
  const machine::Machine& machine_;
  const machine::MemoryLevel* const managed_ = machine::managed_level(machine_);
  std::vector<Cut> cuts_;
  std::vector<Copied> copies_;               // into buffers that are in scope
  std::set<std::string> filled_;             // buffers that copies fill
  std::set<int> copied_out_;                 // stages; -1: what the leaf makes
  std::string leaf_buffer_;                  // where the leaf makes its result
  std::int64_t live_bytes_ = 0;              // of the buffers in scope
  std::vector<bool> computed_;               // by stage, and at the end the leaf, or its parts
  std::vector<Writer> writers_;              // by stage
  std::vector<int> values_;                  // stages whose value is at hand
  std::vector<Buffer> buffers_;              // in scope
  std::set<std::string> names_;              // of all buffers so far
  std::map<std::string, std::string> used_;  // an attention's buffers, by what they are to its leaves
  AttentionPlace first_, block_;             // where its first leaf stands, and the first that takes a block of keys
  const TileNode* owner_ = nullptr;
  const TileNode* split_ = nullptr;  // the loop around that divides a reduction
  int barriers_ = 0;
  bool is_owned_ = false;
  bool is_unit_ = false;  // the next loop is divided together with the one around it
  bool reducing_ = false;
};

}  // namespace strata::schedule
