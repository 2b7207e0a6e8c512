// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>

#include "egraph/egraph.h"

namespace strata::egraph {

// How the client's data reads in a dump; an empty function prints a payload as its number, and no data.
struct DumpNames {
  std::function<std::string(Symbol, Payload)> payload = {};
  std::function<std::string(ClassId)> data = {};
};

// Graphviz: a box per class with its nodes. Of a clean graph.
std::string to_dot(const EGraph& graph, const DumpNames& names = {});

// JSON in the interchange format of egraph-serialize: "nodes" by name "class.index", each with its "op", its
// "children" (any node of the child's class), its "eclass" and a "cost" of 1; "class_data" by class. Of a clean graph.
std::string to_json(const EGraph& graph, const DumpNames& names = {});

}  // namespace strata::egraph
