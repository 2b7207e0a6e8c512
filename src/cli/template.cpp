// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/command.h"
#include "cli/input.h"
#include "cli/model_source.h"
#include "cli/options.h"
#include "cli/path_roles.h"
#include "text/render_chat.h"

namespace strata::cli {
namespace {

struct TemplateOptions {
  std::string model, file = "-", jsonl;
  bool verify = false;
};

std::string render(const text::TextModel& model, const std::string& text, const std::string& where) {
  auto context = parse_input_object(text, where);
  if (!context.contains("messages") || !context["messages"].is_array()) {
    throw usage_error(where + ": no list \"messages\"",
                      "give an object such as {\"messages\": [{\"role\": \"user\", \"content\": \"Hi\"}]}");
  }
  return text::render_chat(model, std::move(context));
}

void render_template(const TemplateOptions& options, Console& console) {
  text::TextModel model = load_model_text(options.model, options.verify);
  text::require_chat_template(model, options.model);
  if (options.jsonl.empty()) {
    std::string where = options.file == "-" ? "standard input" : options.file;
    console.out(render(model, read_input(options.file), where));
    if (console.stdout_is_terminal()) console.out("\n");
    return;
  }
  InputFile input(options.jsonl);
  for (std::string line; input.next_line(line);) {
    console.out(to_json_line({{"rendered", render(model, line, input.position())}}));
    if (options.jsonl == "-") console.flush();
  }
}

}  // namespace

Action declare_template(CLI::App& app, Console& console) {
  auto options = std::make_shared<TemplateOptions>();
  add_model(app, options->model);
  add_verify(app, options->verify);
  auto* file = reads(app.add_option("-f,--file", options->file,
                                    "A JSON object with messages, and optionally tools, enable_thinking, "
                                    "add_generation_prompt (default: standard input)"));
  reads(app.add_option("--jsonl", options->jsonl, "Read such an object per line, write lines {\"rendered\": ...}"))
      ->excludes(file);
  return [options, &console] { render_template(*options, console); };
}

}  // namespace strata::cli
