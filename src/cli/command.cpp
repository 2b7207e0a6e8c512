// SPDX-License-Identifier: Apache-2.0
#include "cli/command.h"

namespace strata::cli {

std::span<const Command> commands() {
  static constexpr Command kCommands[] = {
      {"run", "Continue a text and print it as it is made", declare_run},
      {"chat", "Talk with a model in the terminal", declare_chat},
      {"compile", "Compile a model into a package", declare_compile},
      {"bench", "Measure tokens per second", declare_bench},
      {"logits", "Write every position's logits to a file", declare_logits},
      {"perplexity", "Measure how well a model predicts a text", declare_perplexity},
      {"tokenize", "Turn text into token ids", declare_tokenize},
      {"detokenize", "Turn token ids into text", declare_detokenize},
      {"template", "Render a model's chat template", declare_template},
      {"info", "Show what a model or a package contains", declare_info},
      {"calibrate", "Measure this machine and write its model", declare_calibrate},
      {"explain", "Show what was decided for a model, and why", declare_explain},
      {"opt", "Run compiler passes on an IR file", declare_opt},
  };
  return kCommands;
}

}  // namespace strata::cli
