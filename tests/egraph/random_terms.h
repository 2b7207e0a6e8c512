// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <random>
#include <string>
#include <vector>

#include "egraph/egraph.h"

namespace strata::egraph {

// std::uniform_int_distribution differs between standard libraries; this doesn't.
inline std::size_t pick(std::mt19937_64& random, std::size_t count) { return random() % count; }

// Random nodes over what is there already: leaves a to d, unary f and g, binary h; sometimes a payload.
inline std::vector<ClassId> add_random_nodes(EGraph& graph, std::mt19937_64& random, std::size_t count) {
  Symbols& symbols = graph.symbols();
  std::vector<ClassId> ids;
  for (const char* leaf : {"a", "b", "c", "d"}) ids.push_back(graph.add(symbols.intern(leaf)));
  for (std::size_t i = 0; i < count; ++i) {
    const ClassId x = ids[pick(random, ids.size())];
    const ClassId y = ids[pick(random, ids.size())];
    const auto payload = static_cast<Payload>(pick(random, 8) == 0);
    switch (pick(random, 3)) {
      case 0:
        ids.push_back(graph.add(symbols.intern("f"), payload, {x}));
        break;
      case 1:
        ids.push_back(graph.add(symbols.intern("g"), payload, {x}));
        break;
      default:
        ids.push_back(graph.add(symbols.intern("h"), payload, {x, y}));
    }
  }
  return ids;
}

}  // namespace strata::egraph
