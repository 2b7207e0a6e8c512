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

struct DetokenizeOptions {
  std::string model, tokens, jsonl;
  bool has_tokens = false, verify = false;
};

std::string decode(const text::TextModel& model, const std::vector<std::int32_t>& ids, const std::string& where) {
  for (auto id : ids) {
    if (id < model.tokenizer.vocab_size()) continue;
    throw usage_error(where + ": there is no token " + std::to_string(id),
                      "the tokenizer has " + std::to_string(model.tokenizer.vocab_size()));
  }
  return model.tokenizer.decode(ids, false);
}

std::vector<std::int32_t> ids_of(const nlohmann::ordered_json& object, const std::string& where) {
  auto wrong = [&] {
    return usage_error(where + ": no list \"ids\" of token ids", "give lines such as {\"ids\": [1, 2, 3]}");
  };
  auto found = object.find("ids");
  if (found == object.end() || !found->is_array()) throw wrong();
  std::vector<std::int32_t> ids;
  for (const auto& item : *found) {
    if (!item.is_number_unsigned() || item.get<std::uint64_t>() > std::numeric_limits<std::int32_t>::max()) {
      throw wrong();
    }
    ids.push_back(item.get<std::int32_t>());
  }
  return ids;
}

void detokenize_lines(const text::TextModel& model, const std::string& path, Console& console) {
  InputFile input(path);
  for (std::string line; input.next_line(line);) {
    auto ids = ids_of(parse_input_object(line, input.position()), input.position());
    console.out(to_json_line({{"text", decode(model, ids, input.position())}}));
    if (path == "-") console.flush();
  }
}

void detokenize(const DetokenizeOptions& options, Console& console) {
  std::vector<std::int32_t> ids;
  if (options.jsonl.empty()) {
    ids = parse_token_ids(options.has_tokens ? options.tokens : read_input("-"), "--tokens");
  }
  text::TextModel model = load_model_text(options.model, options.verify);
  if (!options.jsonl.empty()) return detokenize_lines(model, options.jsonl, console);
  console.out(decode(model, ids, "--tokens"));
  if (console.stdout_is_terminal()) console.out("\n");
}

}  // namespace

Action declare_detokenize(CLI::App& app, Console& console) {
  auto options = std::make_shared<DetokenizeOptions>();
  add_model(app, options->model);
  add_verify(app, options->verify);
  auto* tokens = app.add_option("--tokens", options->tokens, "Token ids such as 1,2,3 (default: from standard input)");
  reads(app.add_option("--jsonl", options->jsonl,
                       "Read lines {\"ids\": [...]} from this file, write lines {\"text\": ...}"))
      ->excludes(tokens);
  return [options, tokens, &console] {
    options->has_tokens = tokens->count() > 0;
    detokenize(*options, console);
  };
}

}  // namespace strata::cli
