// SPDX-License-Identifier: Apache-2.0
#include "text/text_model.h"

#include <set>

#include "base/error.h"
#include "text/tokenizer_json.h"

namespace strata::text {
namespace {

using Json = nlohmann::ordered_json;

Json parse_config(std::string_view text, const std::string& path) {
  if (text.empty()) return Json::object();
  Json config = parse_bounded_json(text, path);
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

std::optional<std::string> template_source(const Json& tokenizer_config, const std::string& path) {
  const auto found = tokenizer_config.find("chat_template");
  if (found == tokenizer_config.end() || found->is_null()) return std::nullopt;
  if (found->is_string()) return found->get<std::string>();
  if (!found->is_array()) throw model_error("chat_template is neither a string nor a list", path, "check the file");
  for (const Json& entry : *found) {
    const bool is_default = entry.is_object() && token_text(entry, "name") == "default";
    if (is_default && entry.contains("template") && entry["template"].is_string()) {
      return entry["template"].get<std::string>();
    }
  }
  throw model_error("chat_template has no template named \"default\"", path, "check the file");
}

}  // namespace

TextModel load_text_model(std::string_view tokenizer_json, std::string_view tokenizer_config_json,
                          std::string_view generation_config_json, std::string_view config_json,
                          std::string_view chat_template_jinja, const std::string& origin) {
  const std::string tokenizer_config_path = origin + "/tokenizer_config.json";
  const std::string generation_config_path = origin + "/generation_config.json", config_path = origin + "/config.json";
  const Json tokenizer_config = parse_config(tokenizer_config_json, tokenizer_config_path);
  const Json generation_config = parse_config(generation_config_json, generation_config_path);
  const Json config = parse_config(config_json, config_path);

  TextModel model{Tokenizer::from_json(tokenizer_json, origin + "/tokenizer.json"), std::nullopt, "", "", {}};
  if (!chat_template_jinja.empty()) {
    model.chat_template = ChatTemplate::parse(std::string(chat_template_jinja), origin + "/chat_template.jinja");
  } else if (auto source = template_source(tokenizer_config, tokenizer_config_path)) {
    model.chat_template = ChatTemplate::parse(*std::move(source), tokenizer_config_path);
  }

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
  return model;
}

}  // namespace strata::text
