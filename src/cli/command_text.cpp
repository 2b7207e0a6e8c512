// SPDX-License-Identifier: Apache-2.0
#include "cli/command_text.h"

#include <array>
#include <cctype>
#include <vector>

#include "base/error.h"
#include "cli/version.h"

namespace strata::cli {
namespace {

std::vector<const CLI::App*> subcommands(const CLI::App& program) {
  return program.get_subcommands([](const CLI::App*) { return true; });
}

std::vector<const CLI::Option*> named_options(const CLI::App& command) {
  return command.get_options([](const CLI::Option* option) { return option->nonpositional(); });
}

std::vector<const CLI::Option*> positionals(const CLI::App& command) {
  return command.get_options([](const CLI::Option* option) { return option->get_positional(); });
}

bool takes_value(const CLI::Option& option) { return option.get_items_expected_max() > 0; }

bool is_path(const CLI::Option& option) {
  return option.get_type_name() == "INPUT" || option.get_type_name() == "OUTPUT";
}

// "-f", "--file".
std::vector<std::string> spellings(const CLI::Option& option) {
  std::vector<std::string> names;
  for (const std::string& name : option.get_snames()) names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) names.push_back("--" + name);
  return names;
}

std::string joined(const std::vector<std::string>& words, std::string_view between) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : std::string(between)) + word;
  return text;
}

// Text as troff reads it: hyphens are minus signs, and a line may not begin with a dot or a quote.
std::string troff(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '\\') {
      escaped += "\\e";
    } else if (c == '-') {
      escaped += "\\-";
    } else {
      escaped += c;
    }
  }
  return !escaped.empty() && (escaped[0] == '.' || escaped[0] == '\'') ? "\\&" + escaped : escaped;
}

std::string upper(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

std::string man_option(const CLI::Option& option) {
  std::vector<std::string> names;
  for (const std::string& name : spellings(option)) names.push_back("\\fB" + troff(name) + "\\fR");
  const std::string value = takes_value(option) ? " \\fI" + troff(option.get_type_name()) + "\\fR" : "";
  return ".TP\n" + joined(names, ", ") + value + "\n" + troff(option.get_description()) + "\n";
}

std::string man_command(const CLI::App& command) {
  std::string usage = "\\fBstrata " + troff(command.get_name()) + "\\fR [\\fIOPTIONS\\fR]", options;
  for (const CLI::Option* option : positionals(command)) {
    const std::string name = "\\fI" + troff(upper(option->get_name(true))) + "\\fR";
    usage += option->get_required() ? " " + name : " [" + name + "]";
    options += ".TP\n" + name + "\n" + troff(option->get_description()) + "\n";
  }
  for (const CLI::Option* option : named_options(command)) options += man_option(*option);
  return ".SS " + troff(command.get_name()) + "\n" + troff(command.get_description()) + ".\n.PP\n" + usage + "\n" +
         options;
}

// Of one command, what a shell needs: "NAME|words|words after which a path stands|words after which some value stands".
struct Words {
  std::string name, summary;
  std::vector<std::string> all, before_path, before_value;
};

std::vector<Words> words_of(const CLI::App& program) {
  std::vector<Words> result;
  for (const CLI::App* command : subcommands(program)) {
    Words words{command->get_name(), command->get_description(), {}, {}, {}};
    for (const CLI::Option* option : named_options(*command)) {
      for (const std::string& name : spellings(*option)) {
        words.all.push_back(name);
        if (takes_value(*option)) (is_path(*option) ? words.before_path : words.before_value).push_back(name);
      }
    }
    result.push_back(std::move(words));
  }
  return result;
}

// zsh reads it too, by its own emulation of bash's completion.
std::string bash_script(const CLI::App& program) {
  std::string names, cases;
  for (const Words& words : words_of(program)) {
    names += (names.empty() ? "" : " ") + words.name;
    cases += "    " + words.name + ") words='" + joined(words.all, " ") + "' paths=' " +
             joined(words.before_path, " ") + " ' values=' " + joined(words.before_value, " ") + " ' ;;\n";
  }
  return "_strata() {\n"
         "  local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} words= paths= values=\n"
         "  COMPREPLY=()\n"
         "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
         "    COMPREPLY=($(compgen -W '" +
         names +
         " --help --version' -- \"$current\"))\n"
         "    return\n"
         "  fi\n"
         "  case ${COMP_WORDS[1]} in\n" +
         cases +
         "  esac\n"
         "  case $values in *\" $before \"*) return ;; esac\n"
         "  case $paths in *\" $before \"*) COMPREPLY=($(compgen -f -- \"$current\")); return ;; esac\n"
         "  case $current in\n"
         "    -*) COMPREPLY=($(compgen -W \"$words\" -- \"$current\")) ;;\n"
         "    *) COMPREPLY=($(compgen -f -- \"$current\")) ;;\n"
         "  esac\n"
         "}\n"
         "complete -o filenames -F _strata strata\n";
}

std::string fish_quoted(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' || c == '\\' ? std::string("\\") + c : std::string(1, c);
  return quoted + "'";
}

std::string fish_script(const CLI::App& program) {
  std::string script;
  for (const CLI::App* command : subcommands(program)) {
    const std::string name = command->get_name();
    script += "complete -c strata -n __fish_use_subcommand -f -a " + name + " -d " +
              fish_quoted(command->get_description()) + "\n";
    for (const CLI::Option* option : named_options(*command)) {
      script += "complete -c strata -n '__fish_seen_subcommand_from " + name + "'";
      for (const std::string& letter : option->get_snames()) script += " -s " + letter;
      for (const std::string& word : option->get_lnames()) script += " -l " + word;
      if (takes_value(*option)) script += is_path(*option) ? " -r -F" : " -x";
      script += " -d " + fish_quoted(option->get_description()) + "\n";
    }
  }
  return script;
}

}  // namespace

std::string man_page(const CLI::App& program) {
  std::string commands;
  for (const CLI::App* command : subcommands(program)) commands += man_command(*command);
  return ".TH STRATA 1 \"\" \"strata " + std::string(kVersion) + "\" \"User Commands\"\n.SH NAME\nstrata \\- compile " +
         "large language models for one machine and run them\n.SH SYNOPSIS\n\\fBstrata\\fR \\fICOMMAND\\fR " +
         "[\\fIOPTIONS\\fR] [\\fIMODEL\\fR]\n.SH DESCRIPTION\n" + troff(program.get_description()) +
         "\n.SH COMMANDS\n" + commands +
         ".SH EXIT STATUS\n.TP\n0\nsuccess\n.TP\n1\na failure while running\n.TP\n2\na wrong command line\n.TP\n3\n" +
         "a model or another file that is wrong\n.TP\n4\na compiler that is missing or fails\n.TP\n5\n" +
         "not enough memory, space or time\n";
}

std::string completion_script(const CLI::App& program, std::string_view shell) {
  if (shell == "bash") return bash_script(program);
  if (shell == "zsh") return "#compdef strata\nautoload -U +X bashcompinit && bashcompinit\n" + bash_script(program);
  if (shell == "fish") return fish_script(program);
  throw usage_error("there is no completion for '" + std::string(shell) + "'", "give one of: bash, zsh, fish");
}

}  // namespace strata::cli
