// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "egraph/symbols.h"

namespace strata::egraph {

// A class of equal terms. Every node mints an id of its own when it is added, and merging makes one of them the
// canonical one (EGraph::find); so an id also names the one term whose node minted it.
using ClassId = std::uint32_t;
using Payload = std::uint32_t;  // an operator's attributes, interned by the client; 0: none
using NodeId = ClassId;         // a node, named by the class id that it minted

inline constexpr std::uint32_t kNoId = 0xffffffff;

// An operator applied to classes. A view: it doesn't own the children.
struct ENode {
  Symbol op = 0;
  Payload payload = 0;
  std::span<const ClassId> children;
};

bool same_node(const ENode& a, const ENode& b);
std::uint32_t hash_node(const ENode& node);

// Memory for the nodes' children; what it hands out stays where it is.
class ChildArena {
 public:
  std::span<ClassId> copy(std::span<const ClassId> children);
  std::size_t memory_bytes() const { return bytes_; }

 private:
  static constexpr std::size_t kBlock = 1 << 14;

  std::vector<std::unique_ptr<ClassId[]>> blocks_;
  ClassId* block_end_ = nullptr;
  std::size_t free_ = 0;  // ids left before block_end_
  std::size_t bytes_ = 0;
};

}  // namespace strata::egraph
