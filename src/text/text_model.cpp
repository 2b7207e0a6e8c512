// SPDX-License-Identifier: Apache-2.0
#include "text/text_model.h"

#include <set>

#include "base/error.h"
#include "base/python_json.h"
#include "text/sampling_defaults.h"
#include "text/tokenizer_json.h"

namespace strata::text {
namespace {

using Json = nlohmann::ordered_json;

Json parse_config(std::string_view text, const std::string& path) {
  if (text.empty()) return Json::object();
  Json config = parse_bounded_json(quote_python_constants(text), path);
  if (!config.is_object()) throw model_error("the file is not a JSON object", path, "download the file again");
  return config;
}

// A special token stands in tokenizer_config.json as its text or as an object with content.
std::string token_text(const Json& config, const char* name) {
  const auto found = config.find(name);
  if (found == config.end()) return "";
  const Json& token = found->is_object() && found->contains("content") ? (*found)["content"] : *found;
  return token.is_string() ? token.get<std::string>() : "";
}

// The ids of an entry that is an id, a list of ids, or null.
std::vector<std::int64_t> token_ids(const Json& config, const char* name, const std::string& path) {
  const auto found = config.find(name);
  if (found == config.end() || found->is_null()) return {};
  std::vector<std::int64_t> ids;
  for (const Json& id : found->is_array() ? *found : Json::array({*found})) {
    if (!id.is_number_integer()) {
      throw model_error(std::string(name) + " is not a token id", path, "give an integer or a list of integers");
    }
    ids.push_back(id.get<std::int64_t>());
  }
  return ids;
}

// Ids that no token has are left out: configs of cut-down models keep those of the original.
void insert_known(std::set<std::int32_t>& out, const std::vector<std::int64_t>& ids, const Tokenizer& tokenizer) {
  for (const std::int64_t id : ids) {
    if (id >= 0 && id < tokenizer.vocab_size()) out.insert(static_cast<std::int32_t>(id));
  }
}

std::string text_of_id(const std::vector<std::int64_t>& ids, const Tokenizer& tokenizer) {
  const bool known = !ids.empty() && ids[0] >= 0 && ids[0] < tokenizer.vocab_size();
  return known ? tokenizer.token_bytes(static_cast<std::int32_t>(ids[0])) : "";
}

// From tokenizer_config.json: one template, or a list of them with names.
ChatTemplates configured_templates(const Json& tokenizer_config, const std::string& path) {
  ChatTemplates templates;
  const auto found = tokenizer_config.find("chat_template");
  if (found == tokenizer_config.end() || found->is_null()) return templates;
  if (found->is_string()) {
    templates.add("default", {found->get<std::string>(), path});
  } else if (!found->is_array()) {
    templates.refuse(model_error("chat_template is neither a string nor a list", path, "check the file"));
  } else {
    for (const Json& entry : *found) {
      if (!entry.is_object() || !entry.contains("template") || !entry["template"].is_string()) continue;
      templates.add(token_text(entry, "name"), {entry["template"].get<std::string>(), path});
    }
  }
  return templates;
}

ChatTemplates read_templates(const TextFiles& files, const Json& tokenizer_config, const std::string& origin) {
  ChatTemplates templates;
  if (!files.chat_template.empty()) templates.add("default", {files.chat_template, origin + "/chat_template.jinja"});
  if (!files.tool_use_template.empty()) {
    templates.add("tool_use", {files.tool_use_template, origin + "/additional_chat_templates/tool_use.jinja"});
  }
  return templates.empty() ? configured_templates(tokenizer_config, origin + "/tokenizer_config.json")
                           : std::move(templates);
}

}  // namespace

TextModel load_text_model(const TextFiles& files, const std::string& origin) {
  const std::string generation_config_path = origin + "/generation_config.json", config_path = origin + "/config.json";
  const Json tokenizer_config = parse_config(files.tokenizer_config, origin + "/tokenizer_config.json");
  const Json generation_config = parse_config(files.generation_config, generation_config_path);
  const Json config = parse_config(files.config, config_path);

  TextModel model{Tokenizer::from_json(files.tokenizer, origin + "/tokenizer.json"),
                  read_templates(files, tokenizer_config, origin),
                  "",
                  "",
                  {}};

  const std::vector<std::int64_t> config_eos = token_ids(config, "eos_token_id", config_path);
  model.bos_token = token_text(tokenizer_config, "bos_token");
  model.eos_token = token_text(tokenizer_config, "eos_token");
  if (!tokenizer_config.contains("bos_token")) {
    model.bos_token = text_of_id(token_ids(config, "bos_token_id", config_path), model.tokenizer);
  }
  if (!tokenizer_config.contains("eos_token")) model.eos_token = text_of_id(config_eos, model.tokenizer);

  std::set<std::int32_t> eos;
  insert_known(eos, token_ids(generation_config, "eos_token_id", generation_config_path), model.tokenizer);
  insert_known(eos, config_eos, model.tokenizer);
  if (const auto id = model.tokenizer.id_of(model.eos_token)) eos.insert(*id);
  model.eos_ids.assign(eos.begin(), eos.end());
  model.sampling = sampling_defaults(generation_config, generation_config_path);
  return model;
}

TextModel read_text_model(const std::function<std::string(const std::string& name)>& read, const std::string& origin) {
  TextFiles files;
  files.tokenizer = read("tokenizer.json");
  if (files.tokenizer.empty()) {
    throw model_error(
        "the model has no tokenizer (tokenizer.json)", origin,
        "give a model with a tokenizer, or use a command that needs no text: compile, logits, bench, info");
  }
  files.tokenizer_config = read("tokenizer_config.json");
  files.generation_config = read("generation_config.json");
  files.config = read("config.json");
  files.chat_template = read("chat_template.jinja");
  files.tool_use_template = read("additional_chat_templates/tool_use.jinja");
  return load_text_model(files, origin);
}

}  // namespace strata::text
