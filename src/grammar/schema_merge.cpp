// SPDX-License-Identifier: Apache-2.0
#include "grammar/schema_merge.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/words.h"
#include "grammar/limits.h"

namespace strata::grammar {
namespace {

struct Keyword {
  std::string_view type;  // of the values that it says something of; empty: of all
  const char* value;      // what it must be itself
};

constexpr const char *kAny = "anything", *kSchema = "a schema", *kSchemas = "a list of schemas",
                     *kCount = "a whole number", *kNumber = "a number", *kText = "a string",
                     *kNames = "a list of strings", *kObject = "an object", *kList = "a list",
                     *kItems = "a schema or a list of schemas", *kFlag = "true or false";

const std::map<std::string_view, Keyword>& keywords() {
  static const std::map<std::string_view, Keyword> kKeywords = {
      {"type", {"", kAny}},
      {"enum", {"", kList}},
      {"const", {"", kAny}},
      {"$ref", {"", kText}},
      {"allOf", {"", kSchemas}},
      {"anyOf", {"", kSchemas}},
      {"oneOf", {"", kSchemas}},
      {"properties", {"object", kObject}},
      {"required", {"object", kNames}},
      {"additionalProperties", {"object", kSchema}},
      {"minProperties", {"object", kCount}},
      {"maxProperties", {"object", kCount}},
      {"propertyNames", {"object", kSchema}},
      {"patternProperties", {"object", kObject}},
      {"items", {"array", kItems}},
      {"prefixItems", {"array", kSchemas}},
      {"additionalItems", {"array", kSchema}},
      {"minItems", {"array", kCount}},
      {"maxItems", {"array", kCount}},
      {"uniqueItems", {"array", kFlag}},
      {"minLength", {"string", kCount}},
      {"maxLength", {"string", kCount}},
      {"pattern", {"string", kText}},
      {"format", {"string", kText}},
      {"minimum", {"number", kNumber}},
      {"maximum", {"number", kNumber}},
      {"exclusiveMinimum", {"number", kNumber}},
      {"exclusiveMaximum", {"number", kNumber}},
      {"multipleOf", {"number", kNumber}},
  };
  return kKeywords;
}

bool is_schema(const Json& value) { return value.is_object() || value.is_boolean(); }

bool is_a(const Json& value, std::string_view kind) {
  const auto all = [&](auto is_one) { return value.is_array() && std::ranges::all_of(value, is_one); };
  if (kind == kSchema) return is_schema(value);
  if (kind == kSchemas) return all(is_schema);
  if (kind == kItems) return is_schema(value) || all(is_schema);
  if (kind == kCount) return value.is_number_unsigned();
  if (kind == kNumber) return value.is_number();
  if (kind == kText) return value.is_string();
  if (kind == kNames) return all([](const Json& name) { return name.is_string(); });
  if (kind == kObject) return value.is_object() && std::ranges::all_of(value, is_schema);
  if (kind == kList) return value.is_array();
  return kind != kFlag || value.is_boolean();
}

// What changes no answer.
constexpr std::array<std::string_view, 18> kAnnotations = {
    "title",      "description",   "default",          "example",        "examples",    "$schema",  "$id",
    "id",         "$anchor",       "$comment",         "$defs",          "definitions", "readOnly", "writeOnly",
    "deprecated", "discriminator", "contentMediaType", "contentEncoding"};

constexpr std::array<std::string_view, 6> kTypes = {"object", "array", "string", "number", "boolean", "null"};

bool is_annotation(std::string_view name) {
  return std::ranges::find(kAnnotations, name) != kAnnotations.end() || name.starts_with("x-");
}

// The schema without what changes no answer.
Json checked(const SchemaAt& at) {
  if (at.schema.is_boolean()) return at.schema;
  if (!at.schema.is_object()) {
    throw usage_error("the schema at " + at.path.substr(0, 200) + " is neither an object nor true or false",
                      "check the schema");
  }
  Json out = Json::object();
  for (const auto& [name, value] : at.schema.items()) {
    if (is_annotation(name)) continue;
    const auto found = keywords().find(name);
    const bool is_refused = name == "uniqueItems" && value == true;
    if (found == keywords().end() || is_refused) refuse_keyword(at.path, name, "is not supported");
    if (!is_a(value, found->second.value)) refuse_keyword(at.path, name, std::string("is not ") + found->second.value);
    if (name != "uniqueItems") out[name] = value;
  }
  return out;
}

std::string pointer_token(std::string_view token) {
  std::string out;
  for (std::size_t i = 0; i < token.size(); ++i) {
    if (token[i] == '~' && i + 1 < token.size() && (token[i + 1] == '0' || token[i + 1] == '1')) {
      out.push_back(token[++i] == '0' ? '~' : '/');
    } else if (token[i] == '%' && i + 2 < token.size()) {
      out.push_back(static_cast<char>(std::strtol(std::string(token.substr(i + 1, 2)).c_str(), nullptr, 16)));
      i += 2;
    } else {
      out.push_back(token[i]);
    }
  }
  return out;
}

const Json* child(const Json& parent, const std::string& name) {
  if (parent.is_object()) {
    const auto found = parent.find(name);
    return found == parent.end() ? nullptr : &*found;
  }
  const auto index = number_of<std::size_t>(name);
  return parent.is_array() && index && *index < parent.size() ? &parent[*index] : nullptr;
}

// Of a merge, the values that both lists have.
Json intersection_of(const Json& a, const Json& b) {
  Json out = Json::array();
  for (const Json& value : a) {
    if (has_value(b, value)) out.push_back(value);
  }
  return out;
}

Json listed(const Json& value) { return value.is_array() ? value : Json::array({value}); }

// An integer is a number too.
Json common_types(const Json& a, const Json& b) {
  const Json of_a = listed(a), of_b = listed(b);
  Json out = intersection_of(of_a, of_b);
  if (has_value(out, "integer")) return out;
  if ((has_value(of_a, "integer") && has_value(of_b, "number")) ||
      (has_value(of_a, "number") && has_value(of_b, "integer"))) {
    if (!has_value(out, "number")) out.push_back("integer");
  }
  return out;
}

Json part_of(const Json& schema, const char* list, const std::string& name, const char* others) {
  if (const auto all = schema.find(list); all != schema.end() && all->contains(name)) return (*all)[name];
  const auto rest = schema.find(others);
  return rest == schema.end() ? Json(true) : *rest;
}

void merge_objects(const Json& a, const Json& b, Json& out) {
  Json properties = Json::object();
  for (const Json* const of : {&a, &b}) {
    const auto found = of->find("properties");
    if (found == of->end()) continue;
    for (const auto& [name, schema] : found->items()) {
      if (properties.contains(name)) continue;
      properties[name] = all_of(part_of(a, "properties", name, "additionalProperties"),
                                part_of(b, "properties", name, "additionalProperties"));
    }
  }
  if (!properties.empty()) out["properties"] = std::move(properties);
  Json required = Json::array();
  for (const Json* const of : {&a, &b}) {
    const auto found = of->find("required");
    if (found == of->end()) continue;
    for (const Json& name : *found) {
      if (!has_value(required, name)) required.push_back(name);
    }
  }
  if (!required.empty()) out["required"] = std::move(required);
  if (a.contains("additionalProperties") && b.contains("additionalProperties")) {
    out["additionalProperties"] = all_of(a["additionalProperties"], b["additionalProperties"]);
  }
}

Json element(const Json& schema, std::size_t index) {
  if (const auto first = schema.find("prefixItems"); first != schema.end() && index < first->size()) {
    return (*first)[index];
  }
  const auto rest = schema.find("items");
  return rest == schema.end() ? Json(true) : *rest;
}

void merge_arrays(const Json& a, const Json& b, Json& out) {
  std::size_t prefix = 0;
  for (const Json* const of : {&a, &b}) {
    if (of->contains("prefixItems")) prefix = std::max(prefix, (*of)["prefixItems"].size());
  }
  for (std::size_t i = 0; i < prefix; ++i) out["prefixItems"][i] = all_of(element(a, i), element(b, i));
  if (a.contains("items") && b.contains("items")) out["items"] = all_of(a["items"], b["items"]);
}

bool is_lower_bound(std::string_view name) {
  return name == "minimum" || name == "exclusiveMinimum" || name.starts_with("min");
}
bool is_upper_bound(std::string_view name) {
  return name == "maximum" || name == "exclusiveMaximum" || name.starts_with("max");
}

// Draft 2019's list of items is 2020's prefixItems.
void rename_items(Json& schema) {
  const auto items = schema.find("items");
  if (items == schema.end() || !items->is_array()) {
    schema.erase("additionalItems");
    return;
  }
  Json prefix = *items;
  schema.erase("items");
  schema["prefixItems"] = std::move(prefix);
  if (schema.contains("additionalItems")) schema["items"] = schema["additionalItems"];
  schema.erase("additionalItems");
}

}  // namespace

void refuse_keyword(const std::string& path, const std::string& keyword, const std::string& why) {
  const std::string shown = path.size() > 150 ? "..." + path.substr(path.size() - 150) : path;
  throw usage_error("the schema's keyword " + in_quotes(keyword.substr(0, 60)) + " at " + shown + " " + why,
                    "leave it out, or say it otherwise");
}

bool has_value(const Json& list, const Json& value) {
  return std::ranges::any_of(list, [&](const Json& one) { return one == value; });
}

std::string path_below(const std::string& path, const std::string& name) { return path + "/" + name; }

Json all_of(const Json& a, const Json& b) {
  if (a == true || a == b) return b;
  if (b == true) return a;
  if (a == false || b == false) return false;
  return {{"allOf", Json::array({a, b})}};
}

std::vector<std::string> types_of(const Json& schema, const std::string& path) {
  std::vector<std::string> types;
  if (const auto given = schema.find("type"); given != schema.end()) {
    for (const Json& type : listed(*given)) {
      const bool is_known =
          type.is_string() &&
          (type == "integer" || std::ranges::find(kTypes, type.get<std::string_view>()) != kTypes.end());
      if (!is_known) refuse_keyword(path, "type", "is none of JSON's types");
      types.push_back(type);
    }
    return types;
  }
  std::set<std::string_view> meant;
  for (const auto& [name, value] : schema.items()) {
    const auto found = keywords().find(name);
    if (found != keywords().end() && !found->second.type.empty()) meant.insert(found->second.type);
  }
  for (const std::string_view type : kTypes) {
    if (meant.empty() || meant.contains(type)) types.emplace_back(type);
  }
  return types;
}

SchemaAt SchemaMerger::target(const SchemaAt& at) {
  const auto& text = at.schema["$ref"].get_ref<const std::string&>();
  const auto refuse = [&] { refuse_keyword(at.path, "$ref", "names nothing in this schema: " + text.substr(0, 60)); };
  if (text != "#" && !text.starts_with("#/")) refuse();
  const Json* place = &document_;
  for (const std::string_view token :
       split(std::string_view(text).substr(std::min<std::size_t>(text.size(), 2)), '/')) {
    place = child(*place, pointer_token(token));
    if (place == nullptr) refuse();
  }
  account(*place);
  return {*place, text};
}

void SchemaMerger::account(const Json& schema) {
  ++work_;
  if (work_ > kMaxSchemaWork) {
    throw usage_error("the schema is too large, or has too many combinations of alternatives",
                      "combine fewer of them by allOf, anyOf and oneOf");
  }
  if (!schema.is_structured()) return;
  for (const Json& value : schema) account(value);
}

Json SchemaMerger::keywords_of(const SchemaAt& at) {
  account(at.schema);
  return checked(at);
}

std::vector<SchemaAt> SchemaMerger::alternatives(const SchemaAt& at, int depth) {
  if (depth > kMaxDepth) {
    throw usage_error("the schema at " + at.path.substr(0, 200) + " refers to itself without end",
                      "let it do so inside of a property or an item");
  }
  Json plain = keywords_of(at);
  if (plain == true) return {{Json::object(), at.path}};
  if (plain == false) return {};
  std::vector<SchemaAt> more;
  if (plain.contains("$ref")) more = alternatives(target(at), depth + 1);
  const bool has_reference = plain.contains("$ref");
  Json rest = plain;
  for (const char* const name : {"$ref", "allOf", "anyOf", "oneOf"}) rest.erase(name);
  rename_items(rest);
  std::vector<SchemaAt> out = {{std::move(rest), at.path}};
  if (has_reference) out = product(out, more);
  if (const auto all = plain.find("allOf"); all != plain.end()) {
    for (std::size_t i = 0; i < all->size(); ++i) {
      out = product(out, alternatives({(*all)[i], path_below(at.path, "allOf/" + std::to_string(i))}, depth + 1));
    }
  }
  for (const char* const name : {"anyOf", "oneOf"}) {
    if (plain.contains(name)) out = product(out, union_of({plain, at.path}, name, depth));
  }
  return out;
}

std::vector<SchemaAt> SchemaMerger::union_of(const SchemaAt& at, const char* keyword, int depth) {
  const Json& list = at.schema[keyword];
  if (std::string_view(keyword) == "oneOf") check_disjoint(at);
  std::vector<SchemaAt> out;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string path = path_below(at.path, std::string(keyword) + "/" + std::to_string(i));
    for (SchemaAt& one : alternatives({list[i], path}, depth + 1)) out.push_back(std::move(one));
  }
  return out;
}

void SchemaMerger::check_disjoint(const SchemaAt& at) {
  const Json& list = at.schema["oneOf"];
  for (std::size_t i = 0; i < list.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (!are_disjoint({list[j], at.path}, {list[i], at.path})) {
        refuse_keyword(at.path, "oneOf", "has alternatives that may hold at once: anyOf is supported");
      }
    }
  }
}

bool SchemaMerger::are_disjoint(const SchemaAt& a, const SchemaAt& b, int depth) {
  if (depth > 4) return false;
  for (const SchemaAt& one : alternatives(a)) {
    for (const SchemaAt& other : alternatives(b)) {
      if (!are_plainly_disjoint(one.schema, other.schema, one.path, depth)) return false;
    }
  }
  return true;
}

bool SchemaMerger::are_plainly_disjoint(const Json& a, const Json& b, const std::string& path, int depth) {
  const auto values = [](const Json& schema) -> std::optional<Json> {
    if (schema.contains("const")) return Json::array({schema["const"]});
    if (schema.contains("enum")) return schema["enum"];
    return std::nullopt;
  };
  const std::optional<Json> of_a = values(a), of_b = values(b);
  if (of_a && of_b) return intersection_of(*of_a, *of_b).empty();
  if (a.contains("type") && b.contains("type") && common_types(a["type"], b["type"]).empty()) return true;
  const bool are_objects = a.value("type", Json()) == "object" && b.value("type", Json()) == "object";
  if (!are_objects || !a.contains("required") || !b.contains("required")) return false;
  for (const Json& name : intersection_of(a["required"], b["required"])) {
    const SchemaAt in_a{part_of(a, "properties", name, "additionalProperties"), path};
    const SchemaAt in_b{part_of(b, "properties", name, "additionalProperties"), path};
    if (are_disjoint(in_a, in_b, depth + 1)) return true;
  }
  return false;
}

std::vector<SchemaAt> SchemaMerger::product(const std::vector<SchemaAt>& a, const std::vector<SchemaAt>& b) {
  std::vector<SchemaAt> out;
  for (const SchemaAt& one : a) {
    for (const SchemaAt& other : b) {
      account(one.schema);
      account(other.schema);
      const std::string& path = one.schema.empty() ? other.path : one.path;
      out.push_back({merged(one, other), path});
    }
  }
  return out;
}

Json SchemaMerger::merged(const SchemaAt& a, const SchemaAt& b) {
  if (a.schema.empty()) return b.schema;
  if (b.schema.empty()) return a.schema;
  Json out = a.schema;
  for (const auto& [name, value] : b.schema.items()) {
    if (!out.contains(name)) {
      out[name] = value;
    } else if (name == "type") {
      out[name] = common_types(out[name], value);
    } else if (name == "enum") {
      out[name] = intersection_of(listed(out[name]), listed(value));
    } else if (is_lower_bound(name) && value.is_number() && out[name].is_number()) {
      if (out[name] < value) out[name] = value;
    } else if (is_upper_bound(name) && value.is_number() && out[name].is_number()) {
      if (value < out[name]) out[name] = value;
    } else if (name == "const" && out[name] != value) {
      out["enum"] = Json::array();
    } else if (name != "properties" && name != "required" && name != "additionalProperties" && name != "items" &&
               name != "prefixItems" && out[name] != value) {
      refuse_keyword(b.path, name, "is there twice, by allOf or $ref, and can't be merged");
    }
  }
  merge_objects(a.schema, b.schema, out);
  merge_arrays(a.schema, b.schema, out);
  return out;
}

}  // namespace strata::grammar
