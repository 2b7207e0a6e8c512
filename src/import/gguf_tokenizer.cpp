// SPDX-License-Identifier: Apache-2.0
#include "import/gguf_tokenizer.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <ranges>
#include <set>
#include <string_view>
#include <unordered_map>

#include "base/error.h"
#include "base/ranges.h"
#include "base/split_regex.h"
#include "base/utf8.h"
#include "base/words.h"
#include "import/gguf_model.h"

namespace strata::importer {
namespace {

using OrderedJson = nlohmann::ordered_json;

const std::string kKeyPrefix = "tokenizer.ggml.";
constexpr const char* kTemplate = "tokenizer.chat_template";
constexpr const char* kTemplateNames = "tokenizer.chat_templates";
constexpr std::string_view kBytePairs = "gpt2";

// A way of cutting words, by the name that "tokenizer.ggml.pre" has for it, and what goes with it in the tokenizer.json
// of those models.
struct PreTokenizer {
  std::string_view name;
  std::string_view regex;       // of a Split step; empty: ByteLevel's own, GPT-2's, does it
  bool cuts_digits = false;     // each is a word
  bool normalizes = false;      // to NFC
  bool ignores_merges = false;  // a word that is a token is that token
  bool adds_bos = false;        // where the file doesn't say
};

constexpr std::array<PreTokenizer, 6> kPreTokenizers = {
    {{.name = "qwen2", .regex = kQwen2SplitRegex, .normalizes = true},
     {.name = "llama-bpe", .regex = kLlama3SplitRegex, .ignores_merges = true, .adds_bos = true},
     {.name = "llama3", .regex = kLlama3SplitRegex, .ignores_merges = true, .adds_bos = true},
     {.name = "llama-v3", .regex = kLlama3SplitRegex, .ignores_merges = true, .adds_bos = true},
     {.name = "smollm", .regex = {}, .cuts_digits = true},
     {.name = "gpt-2", .regex = {}}}};

// "tokenizer.ggml.token_type".
enum class TokenType : std::int64_t { kNormal = 1, kControl = 3, kUserDefined = 4, kUnused = 5 };

// Control tokens that end a turn or a text, whether or not the file names them so.
constexpr std::array<std::string_view, 5> kEnds = {"<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|eom_id|>",
                                                   "<|end_of_text|>"};

void append_json(std::string& out, std::string_view text) { out += OrderedJson(text).dump(); }

// Builds the texts from one file's metadata.
class TokenizerBuilder {
 public:
  explicit TokenizerBuilder(const GgufMetadata& metadata) : metadata_(metadata), pre_(find_pre_tokenizer()) {
    read_tokens();
    bos_ = special_id("bos_token_id");
    eos_ = special_id("eos_token_id");
  }

  std::string tokenizer() const {
    std::string json = "{\"added_tokens\": " + added_tokens().dump() + ", \"normalizer\": " + normalizer().dump() +
                       ", \"pre_tokenizer\": " + pre_tokenizer().dump() +
                       ", \"post_processor\": " + post_processor().dump() +
                       ", \"decoder\": {\"type\": \"ByteLevel\"}, \"model\": {\"type\": \"BPE\", \"ignore_merges\": ";
    json += pre_.ignores_merges ? "true" : "false";
    append_vocabulary(json);
    append_merges(json);
    return json + "}}\n";
  }

  std::string tokenizer_config() const {
    OrderedJson config = {{"bos_token", bos_ ? OrderedJson(tokens_[*bos_]) : OrderedJson()},
                          {"eos_token", eos_ ? OrderedJson(tokens_[*eos_]) : OrderedJson()}};
    if (OrderedJson templates = chat_templates(); !templates.is_null()) config["chat_template"] = std::move(templates);
    return config.dump();
  }

  std::string generation_config() const {
    std::set<std::size_t> ends;
    for (const char* key : {"eos_token_id", "eot_token_id", "eom_token_id"}) {
      if (const auto id = special_id(key)) ends.insert(*id);
    }
    for (std::size_t id = 0; id < tokens_.size(); ++id) {
      if (type(id) == TokenType::kControl && contains(kEnds, tokens_[id])) ends.insert(id);
    }
    return OrderedJson{{"eos_token_id", ends}}.dump();
  }

 private:
  [[noreturn]] void unsupported(const std::string& what, const std::string& supported) const {
    throw model_error("unsupported " + what, metadata_.origin(),
                      "supported: " + supported + "; compile, logits, bench and info need no text");
  }

  const PreTokenizer& find_pre_tokenizer() const {
    const std::string model = metadata_.text(kKeyPrefix + "model").value_or("");
    if (model != kBytePairs) {
      const std::string sentence_piece = model == "llama" ? " (SentencePiece)" : "";
      unsupported("tokenizer " + in_quotes(model) + sentence_piece, "gpt2 (byte-level BPE)");
    }
    const std::string name = metadata_.text(kKeyPrefix + "pre").value_or("");
    const auto* found = std::ranges::find(kPreTokenizers, std::string_view(name), &PreTokenizer::name);
    if (found != kPreTokenizers.end()) return *found;
    unsupported("pre-tokenizer " + in_quotes(name) + " (tokenizer.ggml.pre)",
                joined(kPreTokenizers | std::views::transform(&PreTokenizer::name)));
  }

  void read_tokens() {
    const auto tokens = metadata_.texts(kKeyPrefix + "tokens");
    if (!tokens) metadata_.missing(kKeyPrefix + "tokens");
    tokens_ = *tokens;
    types_ = metadata_.integers(kKeyPrefix + "token_type").value_or(std::vector<std::int64_t>(tokens_.size(), 1));
    if (types_.size() != tokens_.size()) {
      metadata_.fail("there are " + std::to_string(tokens_.size()) + " tokens and the types of " +
                     std::to_string(types_.size()));
    }
    std::unordered_map<std::string_view, std::size_t> ids;
    for (std::size_t id = 0; id < tokens_.size(); ++id) {
      if (!is_valid_utf8(tokens_[id])) metadata_.fail("token " + std::to_string(id) + " is not UTF-8");
      if (!is_token(id)) continue;
      const auto [other, is_first] = ids.emplace(tokens_[id], id);
      if (!is_first)
        metadata_.fail("the tokens " + std::to_string(other->second) + " and " + std::to_string(id) + " are the same");
    }
  }

  TokenType type(std::size_t id) const { return static_cast<TokenType>(types_[id]); }

  // What fills a hole among the ids is none.
  bool is_token(std::size_t id) const { return type(id) != TokenType::kUnused && !tokens_[id].empty(); }

  std::optional<std::size_t> special_id(const std::string& key) const {
    const auto id = metadata_.integer(kKeyPrefix + key);
    if (!id) return std::nullopt;
    if (*id < 0 || *id >= static_cast<std::int64_t>(tokens_.size()) || !is_token(static_cast<std::size_t>(*id))) {
      metadata_.fail("the value of " + in_quotes(kKeyPrefix + key) + ", " + std::to_string(*id) + ", is no token's id");
    }
    return static_cast<std::size_t>(*id);
  }

  bool flag(const std::string& key, bool otherwise) const {
    return metadata_.boolean(kKeyPrefix + key).value_or(otherwise);
  }

  OrderedJson added_tokens() const {
    OrderedJson added = OrderedJson::array();
    for (std::size_t id = 0; id < tokens_.size(); ++id) {
      const bool is_control = type(id) == TokenType::kControl;
      if (!is_token(id) || (!is_control && type(id) != TokenType::kUserDefined)) continue;
      added.push_back({{"id", id}, {"content", tokens_[id]}, {"normalized", false}, {"special", is_control}});
    }
    return added;
  }

  OrderedJson normalizer() const { return pre_.normalizes ? OrderedJson{{"type", "NFC"}} : OrderedJson(); }

  OrderedJson pre_tokenizer() const {
    OrderedJson steps = OrderedJson::array();
    if (pre_.cuts_digits) steps.push_back({{"type", "Digits"}, {"individual_digits", true}});
    if (!pre_.regex.empty()) {
      steps.push_back({{"type", "Split"}, {"pattern", {{"Regex", pre_.regex}}}, {"behavior", "Isolated"}});
    }
    steps.push_back({{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", pre_.regex.empty()}});
    return {{"type", "Sequence"}, {"pretokenizers", std::move(steps)}};
  }

  // What is put around a text.
  OrderedJson post_processor() const {
    OrderedJson single = OrderedJson::array(), tokens = OrderedJson::object();
    const auto add = [&](std::optional<std::size_t> id) {
      if (!id) return;
      single.push_back({{"SpecialToken", {{"id", tokens_[*id]}, {"type_id", 0}}}});
      tokens[std::string(tokens_[*id])] = {{"id", tokens_[*id]}, {"ids", {*id}}, {"tokens", {tokens_[*id]}}};
    };
    if (flag("add_bos_token", pre_.adds_bos)) add(bos_);
    single.push_back({{"Sequence", {{"id", "A"}, {"type_id", 0}}}});
    if (flag("add_eos_token", false)) add(eos_);
    return {{"type", "TemplateProcessing"}, {"single", std::move(single)}, {"special_tokens", std::move(tokens)}};
  }

  void append_vocabulary(std::string& json) const {
    json += ", \"vocab\": {";
    bool is_first = true;
    for (std::size_t id = 0; id < tokens_.size(); ++id) {
      if (!is_token(id)) continue;
      if (!is_first) json += ',';
      is_first = false;
      append_json(json, tokens_[id]);
      json += ':' + std::to_string(id);
    }
    json += '}';
  }

  void append_merges(std::string& json) const {
    const auto merges = metadata_.texts(kKeyPrefix + "merges");
    if (!merges) metadata_.missing(kKeyPrefix + "merges");
    json += ", \"merges\": [";
    for (std::size_t i = 0; i < merges->size(); ++i) {
      if (!is_valid_utf8((*merges)[i])) metadata_.fail("merge " + std::to_string(i) + " is not UTF-8");
      if (i > 0) json += ',';
      append_json(json, (*merges)[i]);
    }
    json += ']';
  }

  std::string text_of(const std::string& key) const {
    std::string text = metadata_.text(key).value_or("");
    if (!is_valid_utf8(text)) metadata_.fail("the value of " + in_quotes(key) + " is not UTF-8");
    return text;
  }

  // One, or a list of them with names; null: none.
  OrderedJson chat_templates() const {
    const std::string one = text_of(kTemplate);
    const auto names = metadata_.texts(kTemplateNames);
    if (!names) return one.empty() ? OrderedJson() : OrderedJson(one);
    OrderedJson list = OrderedJson::array();
    if (!one.empty()) list.push_back({{"name", "default"}, {"template", one}});
    for (const std::string_view name : *names) {
      if (!is_valid_utf8(name)) metadata_.fail("the value of " + in_quotes(kTemplateNames) + " is not UTF-8");
      list.push_back({{"name", name}, {"template", text_of(std::string(kTemplate) + "." + std::string(name))}});
    }
    return list;
  }

  const GgufMetadata& metadata_;
  const PreTokenizer& pre_;
  std::vector<std::string_view> tokens_;
  std::vector<std::int64_t> types_;
  std::optional<std::size_t> bos_, eos_;
};

}  // namespace

std::vector<std::pair<std::string, std::string>> gguf_texts(const GgufMetadata& metadata) {
  if (!metadata.has(kKeyPrefix + "model")) return {};
  const TokenizerBuilder builder(metadata);
  return {{"tokenizer.json", builder.tokenizer()},
          {"tokenizer_config.json", builder.tokenizer_config()},
          {"generation_config.json", builder.generation_config()}};
}

std::vector<std::pair<std::string, std::string>> read_gguf_texts(const std::filesystem::path& path) {
  return gguf_texts(open_gguf(path).metadata);
}

}  // namespace strata::importer
