// SPDX-License-Identifier: Apache-2.0
#include "serve/tool_format.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "grammar/json_rules.h"
#include "grammar/schema.h"
#include "serve/api_error.h"

namespace strata::serve {
namespace {

using grammar::Expression;
using grammar::Grammar;

constexpr std::array kFormats = {
    // Hermes's, which Qwen's models write too.
    ToolFormat{"<tool_call>", "</tool_call>", "arguments", "<tool_call>"},
    // Llama 3's.
    ToolFormat{"", "", "parameters", R"({"name": function name, "parameters": )"},
};

std::size_t count_of(std::string_view text, std::string_view word) {
  std::size_t count = 0;
  for (std::size_t at = text.find(word); at != std::string_view::npos; at = text.find(word, at + word.size())) ++count;
  return count;
}

const Json& function_of(const Json& tool) { return tool["function"]; }

bool is_strict(const Json& tool) { return function_of(tool).value("strict", Json()) == true; }

// The parameters of a tool that isn't strict may be more than a grammar can say.
Expression arguments_of(const Json& tool, bool is_required, Grammar& grammar) {
  grammar::JsonRules rules(grammar);
  const auto parameters = function_of(tool).find("parameters");
  const bool has_schema = parameters != function_of(tool).end() && !parameters->is_null() && !parameters->empty();
  if (!has_schema || (!is_strict(tool) && !is_required)) return rules.object();
  const Json& schema = *parameters;
  const std::size_t rules_before = grammar.rules.size();
  try {
    return grammar::add_schema(schema, grammar);
  } catch (const Error& error) {
    if (is_strict(tool)) {
      throw bad_request(
          "the tool " + in_quotes(function_of(tool)["name"].get<std::string>().substr(0, 64)) + ": " + error.what(),
          "tools");
    }
    grammar.rules.resize(rules_before);
    return rules.object();
  }
}

Expression call_of(const Json& tool, const ToolFormat& format, bool is_required, Grammar& grammar) {
  grammar::JsonRules rules(grammar);
  const auto key = [](std::string_view name) { return grammar::text_of(in_quotes(name)); };
  Expression name = rules.member(key("name"), rules.constant(function_of(tool)["name"]));
  Expression arguments = rules.member(key(format.arguments), arguments_of(tool, is_required, grammar));
  return rules.braced(grammar::sequence_of({std::move(name), rules.comma_before(std::move(arguments))}));
}

Expression line_breaks() { return grammar::repeat_of(grammar::text_of("\n"), 0, 2); }

// A call behind its first marker.
Expression rest_of_call(const ToolChoice& choice, const ToolFormat& format, Grammar& grammar) {
  std::vector<Expression> calls;
  for (const Json& tool : choice.tools) {
    calls.push_back(call_of(tool, format, choice.kind == ToolChoice::Kind::kRequired, grammar));
  }
  if (format.begin.empty()) return grammar::choice_of(std::move(calls));
  return grammar::sequence_of(
      {line_breaks(), grammar::choice_of(std::move(calls)), line_breaks(), grammar::text_of(std::string(format.end))});
}

// Any text that is no call.
Expression text_without_calls(const ToolFormat& format) {
  if (!format.begin.empty()) return grammar::text_without(std::string(format.begin));
  const grammar::CharRanges brace_and_space = {{'{', '{'}, {' ', ' '}, {'\t', '\n'}, {'\r', '\r'}};
  const auto any = grammar::repeat_of(grammar::character_of(grammar::complement({})), 0, grammar::kUnlimited);
  return grammar::optional_of(grammar::sequence_of({grammar::character_of(grammar::complement(brace_and_space)), any}));
}

}  // namespace

const ToolFormat& tool_format_of(std::string_view prompt, std::string_view without_tools) {
  const auto shows = [&](const ToolFormat& format) {
    return count_of(prompt, format.mark) > count_of(without_tools, format.mark);
  };
  const auto found = std::ranges::find_if(kFormats, shows);
  return found == kFormats.end() ? kFormats.front() : *found;
}

bool ToolChoice::is_constrained() const {
  return kind == Kind::kRequired || (kind == Kind::kAuto && std::ranges::any_of(tools, is_strict));
}

Expression calls_of_tools(const ToolChoice& choice, const ToolFormat& format, Grammar& grammar) {
  Expression call = grammar::rule_of(grammar.add("call of a tool"));
  Expression rest = rest_of_call(choice, format, grammar);
  grammar.rules[call.rule].expression =
      grammar::sequence_of({grammar::text_of(std::string(format.begin)), std::move(rest)});
  if (!choice.is_parallel || format.begin.empty()) return call;
  Expression next = grammar::sequence_of({line_breaks(), call});
  return grammar::sequence_of({std::move(call), grammar::repeat_of(std::move(next), 0, grammar::kUnlimited)});
}

Expression answer_with_tools(const ToolChoice& choice, const ToolFormat& format, const Expression* content,
                             Grammar& grammar) {
  if (choice.kind == ToolChoice::Kind::kRequired) return calls_of_tools(choice, format, grammar);
  if (content != nullptr) return grammar::choice_of({*content, calls_of_tools(choice, format, grammar)});
  Expression text = text_without_calls(format);
  if (format.begin.empty()) return grammar::choice_of({std::move(text), calls_of_tools(choice, format, grammar)});
  Expression call =
      grammar::sequence_of({grammar::text_through(std::string(format.begin)), rest_of_call(choice, format, grammar)});
  if (!choice.is_parallel) return grammar::sequence_of({grammar::optional_of(std::move(call)), std::move(text)});
  return grammar::sequence_of({grammar::repeat_of(std::move(call), 0, grammar::kUnlimited), std::move(text)});
}

}  // namespace strata::serve
