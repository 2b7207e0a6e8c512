// SPDX-License-Identifier: Apache-2.0
#include "cli/usage_mistake.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>
#include <vector>

#include "cli/did_you_mean.h"

namespace strata::cli {
namespace {

constexpr std::size_t kShown = 40;

std::string in_quotes(std::string_view text) {
  return "'" + std::string(text.substr(0, kShown)) + (text.size() > kShown ? "...'" : "'");
}

// Options of llama.cpp that people type from habit, and what to do instead.
struct ForeignOption {
  std::string_view name;
  std::string_view advice;
};

constexpr std::string_view kNoOffload = "leave it out: all layers run on the processor";
constexpr std::string_view kCompilerDecides = "leave it out: the compiler decides this";
constexpr std::string_view kModelFirst = "give the model as the first argument";
constexpr std::string_view kUseChat = "use strata chat";
constexpr std::string_view kCacheType = "give --cache-type, of keys and values alike";

constexpr std::array<ForeignOption, 27> kForeignOptions = {{
    {"-ngl", kNoOffload},
    {"--gpu-layers", kNoOffload},
    {"--n-gpu-layers", kNoOffload},
    {"-mg", kNoOffload},
    {"-sm", kNoOffload},
    {"-ts", kNoOffload},
    {"-m", kModelFirst},
    {"--model", kModelFirst},
    {"-hf", kModelFirst},
    {"--hf-repo", kModelFirst},
    {"-cnv", kUseChat},
    {"--conversation", kUseChat},
    {"-i", kUseChat},
    {"--interactive", kUseChat},
    {"-fa", kCompilerDecides},
    {"--flash-attn", kCompilerDecides},
    {"-b", kCompilerDecides},
    {"--batch-size", kCompilerDecides},
    {"-ub", kCompilerDecides},
    {"--ubatch-size", kCompilerDecides},
    {"-ctk", kCacheType},
    {"-ctv", kCacheType},
    {"--cache-type-k", kCacheType},
    {"--cache-type-v", kCacheType},
    {"--no-mmap", kCompilerDecides},
    {"--mlock", kCompilerDecides},
    {"--numa", kCompilerDecides},
}};

// "--temp" of "--temp=0".
std::string option_name(std::string_view argument) { return std::string(argument.substr(0, argument.find('='))); }

std::vector<std::string> long_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

bool has_option(const CLI::App& app, const std::string& name) { return app.get_option_no_throw(name) != nullptr; }

// "-ngl": not a short option with its value, as the parser takes it, but the name of one that doesn't exist.
bool is_word_behind_one_dash(std::string_view argument) {
  const auto is_word = [](char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_'; };
  return argument.size() > 2 && argument[0] == '-' && argument[1] != '-' &&
         std::all_of(argument.begin() + 1, argument.end(), is_word);
}

std::string see_help(const Command& command) { return "see strata " + std::string(command.name) + " --help"; }

Error unknown_option(const Command& command, const CLI::App& app, const std::string& name) {
  const std::string nearest = nearest_name(name.starts_with("--") ? name : "-" + name, long_names(app));
  return usage_error("there is no option " + in_quotes(name),
                     (nearest.empty() ? "" : "did you mean " + nearest + "? ") + see_help(command));
}

Error extra_argument(const Command& command, const CLI::App& app, const std::string& argument) {
  const std::string meant = command.argument;
  std::string remedy = see_help(command);
  if (!meant.empty()) {
    const CLI::Option* option = app.get_option_no_throw(meant.substr(0, meant.find(' ')));
    const bool is_given = option != nullptr && option->count() > 0;
    remedy = is_given ? "put quotes around a text of several words" : "did you mean " + meant + "? " + remedy;
  }
  return usage_error("unexpected " + in_quotes(argument), remedy);
}

// Replaces `name` where it stands as a word.
bool replace_word(std::string& text, const std::string& name, const std::string& other) {
  const auto is_part = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_'; };
  for (std::size_t at = text.find(name); at != std::string::npos; at = text.find(name, at + 1)) {
    const std::size_t end = at + name.size();
    if ((at > 0 && is_part(text[at - 1])) || (end < text.size() && is_part(text[end]))) continue;
    text.replace(at, name.size(), other);
    return true;
  }
  return false;
}

bool came_from_environment(const CLI::Option* option, const CLI::App& app) {
  const auto& given = app.parse_order();
  return !option->get_envname().empty() && option->count() > 0 &&
         std::find(given.begin(), given.end(), option) == given.end();
}

// The option's name is replaced, or the variable added where the message shows its value.
bool blame(std::string& what, const CLI::Option& option) {
  const std::string variable = option.get_envname();
  if (replace_word(what, option.get_name(), variable)) return true;
  for (const std::string& value : option.results()) {
    if (!value.empty() && replace_word(what, value, value + " (from " + variable + ")")) return true;
  }
  return false;
}

}  // namespace

Error unknown_command(const std::string& name) {
  std::vector<std::string> names;
  for (const Command& command : commands()) names.emplace_back(command.name);
  const std::string nearest = nearest_name(name, names);
  return usage_error(
      "there is no command " + in_quotes(name),
      (nearest.empty() ? "" : "did you mean " + nearest + "? ") + "commands: " + CLI::detail::join(names, ", "));
}

Error parse_mistake(const Command& command, const CLI::App& app, std::span<const char* const> arguments,
                    const std::string& message) {
  const std::vector<std::string> unknown = app.remaining();
  for (const char* argument : arguments) {
    const std::string name = option_name(argument);
    if (has_option(app, name)) continue;
    const auto* foreign = std::find_if(kForeignOptions.begin(), kForeignOptions.end(),
                                       [&](const ForeignOption& option) { return option.name == name; });
    if (foreign != kForeignOptions.end()) {
      return usage_error("there is no option " + in_quotes(name), std::string(foreign->advice));
    }
    if (is_word_behind_one_dash(name) && !unknown.empty()) return unknown_option(command, app, name);
  }
  // An option that doesn't exist is the likelier mistake than one that is missing.
  if (!unknown.empty()) {
    const std::string& first = unknown.front();
    return first.starts_with('-') ? unknown_option(command, app, option_name(first))
                                  : extra_argument(command, app, first);
  }
  return usage_error(message, see_help(command));
}

void refuse_given(const CLI::App& command, std::initializer_list<const char*> options, const std::string& what,
                  const std::string& remedy) {
  for (const char* option : options) {
    if (command.get_option(option)->count() > 0) throw usage_error(std::string(option) + " " + what, remedy);
  }
}

Error blame_environment(const Error& error, const CLI::App& app) {
  const std::string text = error.what();
  const std::size_t remedy = text.rfind("; ");
  std::string what = text.substr(0, remedy);
  bool is_changed = false;
  for (const CLI::Option* option : app.get_options()) {
    if (came_from_environment(option, app)) is_changed |= blame(what, *option);
  }
  if (!is_changed) return error;
  return {error.code(), what, "", remedy == std::string::npos ? "" : text.substr(remedy + 2)};
}

}  // namespace strata::cli
