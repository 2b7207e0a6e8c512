// SPDX-License-Identifier: Apache-2.0
#include "cli/command.h"

namespace strata::cli {

std::span<const Command> commands() {
  static constexpr Command kCommands[] = {
      {"run", "Continue a text and print it as it is made", declare_run, "-p TEXT", true},
      {"chat", "Talk with a model in the terminal", declare_chat, "", true},
      {"serve", "Answer the requests of OpenAI's clients over HTTP", declare_serve, ""},
      {"compile", "Compile a model into a package", declare_compile, "-o OUT.strata"},
      {"bench", "Measure tokens per second", declare_bench, "", true},
      {"logits", "Write every position's logits to a file", declare_logits, "--tokens 1,2,3", true},
      {"perplexity", "Measure how well a model predicts a text", declare_perplexity, "-f FILE", true},
      {"tokenize", "Turn text into token ids", declare_tokenize, "--text TEXT"},
      {"detokenize", "Turn token ids into text", declare_detokenize, "--tokens 1,2,3"},
      {"template", "Render a model's chat template", declare_template, "-f MESSAGES.json"},
      {"pull", "Get a model from the Hub", declare_pull, ""},
      {"list", "Show the models that are here", declare_list, ""},
      {"rm", "Remove a model or a package from its cache", declare_rm, ""},
      {"info", "Show what a model or a package contains", declare_info, ""},
      {"calibrate", "Measure this machine and write its model", declare_calibrate, "-o FILE"},
      {"explain", "Show what was decided for a model, and why", declare_explain, ""},
      {"opt", "Run compiler passes on an IR file", declare_opt, ""},
      {"help", "Show what a command does and takes", declare_help, ""},
      {"version", "Show this program's version", declare_version, ""},
      {"completion", "Print what makes a shell complete strata's commands", declare_completion, ""},
  };
  return kCommands;
}

}  // namespace strata::cli
