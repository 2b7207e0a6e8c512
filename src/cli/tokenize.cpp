// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/command.h"
#include "cli/input.h"
#include "cli/model_source.h"
#include "cli/options.h"
#include "cli/path_roles.h"

namespace strata::cli {
namespace {

struct TokenizeOptions {
  std::string model, file = "-", text, jsonl;
  bool has_text = false, verify = false;
};

void tokenize_lines(const text::TextModel& model, const std::string& path, Console& console) {
  InputFile input(path);
  for (std::string line; input.next_line(line);) {
    auto object = parse_input_object(line, input.position());
    auto found = object.find("text");
    if (found == object.end() || !found->is_string()) {
      throw usage_error(input.position() + ": no string \"text\"", "give lines such as {\"text\": \"hello\"}");
    }
    console.out(to_json_line({{"ids", model.tokenizer.encode(found->get<std::string>())}}));
    if (path == "-") console.flush();
  }
}

void tokenize_text(const text::TextModel& model, const std::string& text, Console& console) {
  std::string line;
  for (auto id : model.tokenizer.encode(text)) line += (line.empty() ? "" : ",") + std::to_string(id);
  console.out(line + "\n");
}

void tokenize(const TokenizeOptions& options, Console& console) {
  text::TextModel model = load_model_text(options.model, options.verify);
  if (!options.jsonl.empty()) {
    tokenize_lines(model, options.jsonl, console);
  } else {
    tokenize_text(model, options.has_text ? options.text : read_input(options.file), console);
  }
}

}  // namespace

Action declare_tokenize(CLI::App& app, Console& console) {
  auto options = std::make_shared<TokenizeOptions>();
  add_model(app, options->model);
  add_verify(app, options->verify);
  auto* file =
      reads(app.add_option("-f,--file", options->file, "Read the text from this file (default: standard input)"));
  auto* text = app.add_option("--text", options->text, "The text")->excludes(file);
  reads(app.add_option("--jsonl", options->jsonl,
                       "Read lines {\"text\": ...} from this file, write lines {\"ids\": [...]}"))
      ->excludes(file)
      ->excludes(text);
  return [options, text, &console] {
    options->has_text = text->count() > 0;
    tokenize(*options, console);
  };
}

}  // namespace strata::cli
