// SPDX-License-Identifier: Apache-2.0
#include "egraph/dump.h"

#include <nlohmann/json.hpp>

namespace strata::egraph {
namespace {

std::string label(const EGraph& graph, const ENode& node, const DumpNames& names) {
  const std::string payload = names.payload       ? names.payload(node.op, node.payload)
                              : node.payload == 0 ? ""
                                                  : std::to_string(node.payload);
  return graph.symbols().name(node.op) + (payload.empty() ? "" : "{" + payload + "}");
}

// A DOT string; its escapes are those of JSON as far as they matter here.
std::string quoted(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string node_name(ClassId id, std::size_t index) { return std::to_string(id) + "." + std::to_string(index); }

void append_class(const EGraph& graph, ClassId id, const DumpNames& names, std::string& out) {
  out += "  subgraph cluster_" + std::to_string(id) + " {\n";
  const std::string data = names.data ? names.data(id) : "";
  out += "    label=" + quoted("c" + std::to_string(id) + (data.empty() ? "" : ": " + data)) + "\n";
  std::size_t index = 0;
  for (const ENode& node : graph.nodes(id)) {
    out += "    " + quoted(node_name(id, index++)) + " [label=" + quoted(label(graph, node, names)) + "]\n";
  }
  out += "  }\n";
}

// An edge to a class goes to its first node and is cut off at its box.
void append_edges(const EGraph& graph, ClassId id, std::string& out) {
  std::size_t index = 0;
  for (const ENode& node : graph.nodes(id)) {
    const std::string from = quoted(node_name(id, index++));
    for (std::size_t i = 0; i < node.children.size(); ++i) {
      const ClassId child = graph.find(node.children[i]);
      out += "  " + from + " -> " + quoted(node_name(child, 0)) + " [label=" + std::to_string(i);
      if (child != id) out += ", lhead=cluster_" + std::to_string(child);
      out += "]\n";
    }
  }
}

}  // namespace

std::string to_dot(const EGraph& graph, const DumpNames& names) {
  std::string out = "digraph egraph {\n  compound=true\n  node [shape=box, style=rounded]\n";
  for (const ClassId id : graph.classes()) append_class(graph, id, names, out);
  for (const ClassId id : graph.classes()) append_edges(graph, id, out);
  return out + "}\n";
}

std::string to_json(const EGraph& graph, const DumpNames& names) {
  nlohmann::json nodes = nlohmann::json::object();
  nlohmann::json data = nlohmann::json::object();
  for (const ClassId id : graph.classes()) {
    std::size_t index = 0;
    for (const ENode& node : graph.nodes(id)) {
      nlohmann::json children = nlohmann::json::array();
      for (const ClassId child : node.children) children.push_back(node_name(graph.find(child), 0));
      nodes[node_name(id, index++)] = {
          {"op", label(graph, node, names)}, {"children", children}, {"eclass", std::to_string(id)}, {"cost", 1}};
    }
    if (names.data) data[std::to_string(id)] = names.data(id);
  }
  const nlohmann::json result = {{"nodes", nodes}, {"root_eclasses", nlohmann::json::array()}, {"class_data", data}};
  return result.dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace strata::egraph
