// SPDX-License-Identifier: Apache-2.0
#include "egraph/dump.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "arithmetic.h"

namespace strata::egraph {
namespace {

TEST(Dump, JsonHasEveryNodeAndClass) {
  Arithmetic language;
  FoldConstants fold(language);
  EGraph graph(language.symbols, &fold);
  const ClassId root = language.add(graph, "mul(x, add(2, 3))");
  graph.rebuild();
  const nlohmann::json dump = nlohmann::json::parse(
      to_json(graph, {.payload = [&](Symbol op, Payload payload) { return language.payload_text(op, payload); },
                      .data = [&](ClassId id) { return fold.value(graph, id) ? "constant" : ""; }}));
  EXPECT_EQ(dump["nodes"].size(), graph.node_count());
  const nlohmann::json& product = dump["nodes"][std::to_string(root) + ".0"];
  EXPECT_EQ(product["op"], "mul");
  EXPECT_EQ(product["eclass"], std::to_string(root));
  ASSERT_EQ(product["children"].size(), 2u);
  const std::string sum = dump["nodes"][product["children"][1].get<std::string>()]["eclass"];
  EXPECT_EQ(dump["class_data"][sum], "constant");
  EXPECT_NE(
      to_json(graph, {.payload = [&](Symbol op, Payload p) { return language.payload_text(op, p); }}).find("num{5}"),
      std::string::npos);
}

TEST(Dump, DotOfASelfLoop) {
  Symbols symbols;
  EGraph graph(symbols);
  const ClassId x = add_term(graph, "x");
  graph.merge(x, add_term(graph, "add(x, a\"b)"));
  graph.rebuild();
  EXPECT_EQ(to_dot(graph), R"(digraph egraph {
  compound=true
  node [shape=box, style=rounded]
  subgraph cluster_0 {
    label="c0"
    "0.0" [label="x"]
    "0.1" [label="add"]
  }
  subgraph cluster_1 {
    label="c1"
    "1.0" [label="a\"b"]
  }
  "0.1" -> "0.0" [label=0]
  "0.1" -> "1.0" [label=1, lhead=cluster_1]
}
)");
}

}  // namespace
}  // namespace strata::egraph
