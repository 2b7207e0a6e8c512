// SPDX-License-Identifier: Apache-2.0
#include "serve/constraint.h"

#include <algorithm>

#include "base/error.h"
#include "grammar/gbnf.h"
#include "grammar/schema.h"
#include "grammar/thoughts.h"
#include "serve/api_error.h"
#include "serve/limits.h"

namespace strata::serve {
namespace {

using grammar::Expression;
using grammar::Grammar;

void check_schema(const RequestReader& reader, const char* key) {
  const Json* const schema = reader.find(key);
  if (schema == nullptr) reader.refuse(key, "is missing");
  if (!schema->is_object() && !schema->is_boolean()) reader.refuse(key, "is no JSON schema");
}

std::optional<Constraint> read_response_format(const RequestReader& body) {
  const Json* const given = body.object("response_format");
  if (given == nullptr) return std::nullopt;
  const RequestReader format(*given, "response_format");
  const std::string type = format.text("type");
  if (type == "text") return std::nullopt;
  if (type == "json_object") {
    if (!format.has("schema")) return Constraint{Constraint::Kind::kJsonObject, {}, "response_format"};
    check_schema(format, "schema");  // llama.cpp's
    return Constraint{Constraint::Kind::kSchema, *format.find("schema"), "response_format.schema"};
  }
  if (type != "json_schema") format.refuse("type", "is none of text, json_object and json_schema");
  const Json* const named = format.object("json_schema");
  if (named == nullptr) format.refuse("json_schema", "is missing");
  const RequestReader inside(*named, "response_format.json_schema");
  check_schema(inside, "schema");
  return Constraint{Constraint::Kind::kSchema, *inside.find("schema"), "response_format.json_schema.schema"};
}

struct Field {
  const char* name;
  Constraint::Kind kind;
};

void add_field(const RequestReader& reader, const Field& field, std::vector<Constraint>& out) {
  const Json* value = reader.find(field.name);
  if (value == nullptr || *value == "") return;
  if (field.kind == Constraint::Kind::kSchema) {
    Json schema = *value;
    if (schema.is_string()) schema = parse_body(schema.get_ref<const std::string&>());
    if (!schema.is_object() && !schema.is_boolean()) reader.refuse(field.name, "is no JSON schema");
    out.push_back({field.kind, std::move(schema), reader.path(field.name)});
    return;
  }
  if (field.kind == Constraint::Kind::kChoice) {
    const bool is_list = value->is_array() && !value->empty() &&
                         std::ranges::all_of(*value, [](const Json& text) { return text.is_string(); });
    if (!is_list) reader.refuse(field.name, "is no list of texts");
  } else if (!value->is_string()) {
    reader.refuse(field.name, "is no string");
  }
  out.push_back({field.kind, *value, reader.path(field.name)});
}

Grammar grammar_of(const Constraint& constraint) {
  switch (constraint.kind) {
    case Constraint::Kind::kJsonObject:
      return grammar::json_object_grammar();
    case Constraint::Kind::kSchema:
      return grammar::schema_grammar(constraint.value);
    case Constraint::Kind::kGbnf:
      return grammar::parse_gbnf(constraint.value.get_ref<const std::string&>());
    case Constraint::Kind::kChoice:
      return grammar::choice_grammar(constraint.value.get<std::vector<std::string>>());
    case Constraint::Kind::kPattern:
      return grammar::pattern_grammar(constraint.value.get_ref<const std::string&>());
  }
  return {};
}

Grammar whole_grammar(const AnswerShape& shape) {
  Grammar grammar;
  if (shape.constraint) grammar = grammar_of(*shape.constraint);
  Expression answer = grammar::rule_of(grammar.root);
  if (shape.tools.kind != ToolChoice::Kind::kNone) {
    const Expression* const content = shape.constraint ? &answer : nullptr;
    answer = answer_with_tools(shape.tools, *shape.tool_format, content, grammar);
  }
  grammar.root = grammar.add("the answer", grammar::after_thoughts(shape.thoughts, std::move(answer)));
  return grammar;
}

std::string key_of(const AnswerShape& shape) {
  const bool has_tools = shape.tools.kind != ToolChoice::Kind::kNone;
  return Json({shape.constraint ? Json({static_cast<int>(shape.constraint->kind), shape.constraint->value}) : Json(),
               {static_cast<int>(shape.tools.kind), shape.tools.tools, shape.tools.is_parallel},
               has_tools ? shape.tool_format->mark : "",
               static_cast<int>(shape.thoughts)})
      .dump();
}

}  // namespace

std::optional<Constraint> read_constraint(const RequestReader& body) {
  std::vector<Constraint> all;
  if (std::optional<Constraint> format = read_response_format(body)) all.push_back(std::move(*format));
  for (const Field& field :
       {Field{"grammar", Constraint::Kind::kGbnf}, Field{"json_schema", Constraint::Kind::kSchema},
        Field{"guided_json", Constraint::Kind::kSchema}, Field{"guided_grammar", Constraint::Kind::kGbnf},
        Field{"guided_choice", Constraint::Kind::kChoice}, Field{"guided_regex", Constraint::Kind::kPattern}}) {
    add_field(body, field, all);
  }
  if (const Json* const outputs = body.object("structured_outputs"); outputs != nullptr) {
    const RequestReader reader(*outputs, "structured_outputs");
    for (const Field& field :
         {Field{"json", Constraint::Kind::kSchema}, Field{"grammar", Constraint::Kind::kGbnf},
          Field{"choice", Constraint::Kind::kChoice}, Field{"regex", Constraint::Kind::kPattern}}) {
      add_field(reader, field, all);
    }
  }
  if (all.size() > 1) throw bad_request(all[1].field + " can't be given together with " + all[0].field, all[1].field);
  return all.empty() ? std::nullopt : std::optional(std::move(all.front()));
}

std::shared_ptr<const grammar::CompiledGrammar> GrammarCache::get(const AnswerShape& shape) {
  if (!shape.constraint && shape.tools.kind == ToolChoice::Kind::kNone) return nullptr;
  const std::string key = key_of(shape);
  {
    const std::lock_guard lock(mutex_);
    const auto known = std::ranges::find(entries_, key, &Entry::first);
    if (known != entries_.end()) {
      std::rotate(entries_.begin(), known, known + 1);
      return entries_.front().second;
    }
  }
  std::shared_ptr<const grammar::CompiledGrammar> made;
  try {
    made = std::make_shared<grammar::CompiledGrammar>(whole_grammar(shape));
  } catch (const Error& error) {
    throw bad_request(error.what(), shape.constraint ? shape.constraint->field : "tools");
  }
  const std::lock_guard lock(mutex_);
  entries_.insert(entries_.begin(), {key, made});
  if (entries_.size() > kMaxGrammars) entries_.pop_back();
  return made;
}

}  // namespace strata::serve
