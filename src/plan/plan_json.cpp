// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/json.h"
#include "plan/plan.h"

namespace strata::plan {
namespace {

using Json = nlohmann::json;

constexpr std::int64_t kMaxInteger = std::int64_t{1} << 53;
constexpr double kMaxNumber = 1e300;
constexpr std::int64_t kMaxIds = 1 << 20;
constexpr std::size_t kMaxCosts = 1 << 20;  // of one op

Json json(const CostTable& table) {
  Json object = {{"axes", Json::array()}};
  for (const auto& axis : table.axes) object["axes"].push_back({{"name", axis.name}, {"nodes", axis.nodes}});
  for (const Cost& cost : table.values) {
    object["flops"].push_back(cost.flops);
    object["bytes"].push_back(cost.bytes);
    object["predicted_ns"].push_back(cost.predicted_s * 1e9);
  }
  return object;
}

Json json(const Op& op) {
  Json alternatives = Json::array();
  for (const auto& [layout, seconds] : op.alternatives) {
    alternatives.push_back({{"layout", layout}, {"predicted_ns", seconds * 1e9}});
  }
  return {{"id", op.id},
          {"name", op.name},
          {"op", op.op},
          {"function", op.function},
          {"count", op.count},
          {"barriers", op.barriers},
          {"type", op.type},
          {"operands", op.operands},
          {"layout", op.layout},
          {"placement", op.placement},
          {"region", op.region},
          {"tree", op.tree},
          {"form", op.form},
          {"cost", json(op.cost)},
          {"alternatives", alternatives}};
}

Json json(const SearchStats& stats) {
  Json object = {{"method", stats.method},
                 {"egraph_nodes", stats.egraph_nodes},
                 {"egraph_classes", stats.egraph_classes},
                 {"stop_reason", stats.stop_reason},
                 {"objective_ns", stats.objective_s * 1e9},
                 {"bound_ns", stats.bound_s * 1e9},
                 {"gap", stats.gap}};
  if (const auto& tuning = stats.tuning) {
    object["tuning"] = {{"regions", tuning->regions},
                        {"candidates", tuning->candidates},
                        {"predicted", tuning->predicted},
                        {"left", tuning->left}};
  }
  if (const auto& round = stats.second_round) {
    object["second_round"] = {{"first_ns", round->first_s * 1e9}, {"second_ns", round->second_s * 1e9}};
  }
  return object;
}

Json json(const RegionSearch& search) {
  Json curve = Json::array();
  for (const auto& [states, seconds] : search.curve) curve.push_back({{"states", states}, {"ns", seconds * 1e9}});
  return {{"function", search.function},
          {"method", search.method},
          {"visits", search.visits},
          {"states", search.states},
          {"before_ns", search.before_s * 1e9},
          {"greedy_ns", search.greedy_s * 1e9},
          {"after_ns", search.after_s * 1e9},
          {"curve", curve},
          {"stop_reason", search.stop_reason}};
}

Json json(const Entry& entry) {
  Json ops = Json::array();
  for (const Op& op : entry.ops) ops.push_back(json(op));
  return {{"function", entry.function}, {"symbol", entry.symbol}, {"ops", ops}};
}

// What the entries of a version have in common.
Json version_json(const Plan& plan, const Entry& first) {
  Json ranges = Json::object();
  for (const auto& [symbol, range] : first.ranges) ranges[symbol] = {{"min", range.min}, {"max", range.max}};
  Json regions = Json::array();
  for (const RegionSearch& search : plan.stats.regions) {
    if (search.version == first.version) regions.push_back(json(search));
  }
  return {{"tag", first.version}, {"ranges", ranges},          {"ids", first.ids},
          {"regions", regions},   {"stats", json(plan.stats)}, {"entries", Json::array()}};
}

Error malformed(const std::string& what, const std::string& origin) {
  return model_error("the package's plan is malformed: " + what, origin, "compile it again");
}

const Json& list(const JsonObject& object, const char* key) {
  const Json& value = object.at(key);
  if (!value.is_array()) object.refuse(key, "a list");
  return value;
}

double seconds(const JsonObject& object, const char* key) { return object.number(key, 0, kMaxNumber) / 1e9; }

double cost_number(const JsonObject& object, const Json& value, const char* key) {
  if (!value.is_number()) object.refuse(key, "a list of numbers");
  const auto number = value.get<double>();
  if (!(number >= 0 && number <= kMaxNumber)) object.refuse(key, "a list of numbers that are not negative");
  return number;
}

CostTable::Axis read_axis(const JsonObject& object) {
  CostTable::Axis axis{object.text("name"), {}};
  for (const Json& node : list(object, "nodes")) {
    if (!node.is_number_integer()) object.refuse("nodes", "a list of integers");
    axis.nodes.push_back(node.get<std::int64_t>());
    const bool ascends = axis.nodes.size() < 2 || axis.nodes[axis.nodes.size() - 2] < axis.nodes.back();
    if (!ascends || axis.nodes.back() < 0) object.refuse("nodes", "ascending");
  }
  if (axis.nodes.empty()) object.refuse("nodes", "one number at least");
  return axis;
}

CostTable read_costs(const JsonObject& object) {
  CostTable table;
  std::size_t size = 1;
  for (const Json& axis : list(object, "axes")) {
    table.axes.push_back(read_axis({axis, object.origin()}));
    if (__builtin_mul_overflow(size, table.axes.back().nodes.size(), &size) || size > kMaxCosts) {
      throw malformed("an op has too many costs", object.origin());
    }
  }
  const Json& flops = list(object, "flops");
  const Json& bytes = list(object, "bytes");
  const Json& times = list(object, "predicted_ns");
  if (flops.size() != size || bytes.size() != size || times.size() != size) {
    throw malformed("the costs of an op don't fit their axes", object.origin());
  }
  for (std::size_t i = 0; i < size; ++i) {
    table.values.push_back({cost_number(object, flops[i], "flops"), cost_number(object, bytes[i], "bytes"),
                            cost_number(object, times[i], "predicted_ns") / 1e9});
  }
  return table;
}

std::vector<std::string> read_texts(const JsonObject& object, const char* key) {
  std::vector<std::string> texts;
  for (const Json& text : list(object, key)) {
    if (!text.is_string()) object.refuse(key, "a list of strings");
    texts.push_back(text.get<std::string>());
  }
  return texts;
}

Op read_op(const JsonObject& object, int ids) {
  Op op;
  op.id = static_cast<int>(object.integer("id", 0, ids - 1));
  op.name = object.text("name");
  op.op = object.text("op");
  op.function = object.text("function");
  op.count = object.integer("count", 1, kMaxInteger);
  op.barriers = object.integer("barriers", 0, kMaxIds);
  op.type = object.text("type");
  op.operands = read_texts(object, "operands");
  op.layout = object.text("layout");
  op.placement = object.text("placement");
  op.region = read_texts(object, "region");
  op.tree = object.text("tree");
  op.form = object.text("form");
  op.cost = read_costs(object.object("cost"));
  for (const Json& element : list(object, "alternatives")) {
    const JsonObject alternative(element, object.origin());
    op.alternatives.push_back({alternative.text("layout"), seconds(alternative, "predicted_ns")});
  }
  return op;
}

Tuning read_tuning(const JsonObject& object) {
  return {object.integer("regions", 0, kMaxInteger), object.integer("candidates", 0, kMaxInteger),
          object.integer("predicted", 0, kMaxInteger), object.integer("left", 0, kMaxInteger)};
}

SearchStats read_stats(const JsonObject& object) {
  SearchStats stats;
  stats.method = object.text("method");
  stats.egraph_nodes = object.integer("egraph_nodes", 0, kMaxInteger);
  stats.egraph_classes = object.integer("egraph_classes", 0, kMaxInteger);
  stats.stop_reason = object.text("stop_reason");
  stats.objective_s = seconds(object, "objective_ns");
  stats.bound_s = seconds(object, "bound_ns");
  stats.gap = object.number("gap", 0, kMaxNumber);
  if (object.has("tuning")) stats.tuning = read_tuning(object.object("tuning"));
  if (object.has("second_round")) {
    const JsonObject round = object.object("second_round");
    stats.second_round = {seconds(round, "first_ns"), seconds(round, "second_ns")};
  }
  return stats;
}

RegionSearch read_search(const JsonObject& object, const std::string& version) {
  RegionSearch search;
  search.version = version;
  search.function = object.text("function");
  search.method = object.text("method");
  search.visits = object.integer("visits", 0, kMaxInteger);
  search.states = object.integer("states", 0, kMaxInteger);
  search.before_s = seconds(object, "before_ns");
  search.greedy_s = seconds(object, "greedy_ns");
  search.after_s = seconds(object, "after_ns");
  for (const Json& element : list(object, "curve")) {
    const JsonObject point(element, object.origin());
    search.curve.push_back({point.integer("states", 0, kMaxInteger), seconds(point, "ns")});
  }
  search.stop_reason = object.text("stop_reason");
  return search;
}

void read_version(const JsonObject& object, Plan& plan) {
  Entry version;
  version.version = object.text("tag");
  const JsonObject ranges = object.object("ranges");
  for (const auto& [symbol, value] : object.at("ranges").items()) {
    const JsonObject range = ranges.object(symbol.c_str());
    version.ranges[symbol] = {range.integer("min", 0, kMaxInteger), range.integer("max", 0, kMaxInteger)};
  }
  version.ids = static_cast<int>(object.integer("ids", 0, kMaxIds));
  std::vector<RegionSearch> regions = std::move(plan.stats.regions);
  for (const Json& search : list(object, "regions")) {
    regions.push_back(read_search({search, object.origin()}, version.version));
  }
  plan.stats = read_stats(object.object("stats"));
  plan.stats.regions = std::move(regions);
  for (const Json& element : list(object, "entries")) {
    const JsonObject from(element, object.origin());
    Entry& entry = plan.entries.emplace_back(version);
    entry.function = from.text("function");
    entry.symbol = from.text("symbol");
    for (const Json& op : list(from, "ops")) entry.ops.push_back(read_op({op, object.origin()}, version.ids));
  }
}

}  // namespace

std::string to_json(const Plan& plan) {
  Json versions = Json::array();
  for (const Entry& entry : plan.entries) {
    if (versions.empty() || versions.back()["tag"] != entry.version) versions.push_back(version_json(plan, entry));
    versions.back()["entries"].push_back(json(entry));
  }
  const Json document = {{"machine", Json::parse(machine::to_json(plan.machine))}, {"versions", std::move(versions)}};
  return document.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Plan plan_from_json(std::string_view json, const std::string& origin) {
  const Json document = parse_json(json, origin);
  const JsonObject object(document, origin);
  Plan plan;
  plan.machine = machine::machine_from_json(object.at("machine").dump(), origin);
  for (const Json& version : list(object, "versions")) read_version({version, origin}, plan);
  return plan;
}

}  // namespace strata::plan
