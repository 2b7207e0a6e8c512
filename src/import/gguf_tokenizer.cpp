// SPDX-License-Identifier: Apache-2.0
#include "import/gguf_tokenizer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string_view>
#include <unordered_map>

#include "base/error.h"
#include "base/ranges.h"
#include "base/utf8.h"
#include "import/gguf_model.h"
#include "import/gguf_pre_tokenizer.h"

namespace strata::importer {
namespace {

using OrderedJson = nlohmann::ordered_json;

const std::string kKeyPrefix = "tokenizer.ggml.";
constexpr const char* kTemplate = "tokenizer.chat_template";
constexpr const char* kTemplateNames = "tokenizer.chat_templates";
constexpr const char* kSpaceSymbol = "\u2581";

// "tokenizer.ggml.model".
enum class TokenizerKind { kBytePairs, kSentencePiece };

struct NamedKind {
  std::string_view name;
  TokenizerKind kind;
};
constexpr std::array<NamedKind, 2> kKinds = {
    {{"gpt2", TokenizerKind::kBytePairs}, {"llama", TokenizerKind::kSentencePiece}}};

// "tokenizer.ggml.token_type".
enum class TokenType : std::int64_t {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,
  kUserDefined = 4,
  kUnused = 5,
  kByte = 6
};

// Control tokens that end a turn or a text, whether or not the file names them so.
constexpr std::array<std::string_view, 5> kEnds = {"<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|eom_id|>",
                                                   "<|end_of_text|>"};

void append_json(std::string& out, std::string_view text) { out += OrderedJson(text).dump(); }

// Builds the texts from one file's metadata.
class TokenizerBuilder {
 public:
  explicit TokenizerBuilder(const GgufMetadata& metadata) : metadata_(metadata) {
    if (find_kind() == TokenizerKind::kBytePairs) pre_ = &find_gguf_pre_tokenizer(metadata);
    read_tokens();
    bos_ = special_id("bos_token_id");
    eos_ = special_id("eos_token_id");
    if (pre_) return;
    add_space_ = flag("add_space_prefix", true);
    unknown_ = special_id("unknown_token_id");
    if (!unknown_) unknown_ = first_of(TokenType::kUnknown);
  }

  std::string tokenizer() const {
    std::string json = "{\"added_tokens\": " + added_tokens().dump() + ", \"normalizer\": " + normalizer().dump() +
                       ", \"pre_tokenizer\": " + (pre_ ? gguf_pre_tokenizer_json(*pre_) : "null") +
                       ", \"post_processor\": " + post_processor().dump() + ", \"decoder\": " + decoder().dump() +
                       ", \"model\": ";
    pre_ ? append_byte_pairs(json) : append_scored_pairs(json);
    return json + "}\n";
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
  TokenizerKind find_kind() const {
    const std::string model = metadata_.text(kKeyPrefix + "model").value_or("");
    const auto* found = std::ranges::find(kKinds, std::string_view(model), &NamedKind::name);
    if (found != kKinds.end()) return found->kind;
    throw model_error("unsupported tokenizer " + in_quotes(model), metadata_.origin(),
                      "supported: gpt2 (byte-level BPE), llama (SentencePiece); " + std::string(kNeedNoText));
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

  std::optional<std::size_t> first_of(TokenType wanted) const {
    for (std::size_t id = 0; id < tokens_.size(); ++id) {
      if (type(id) == wanted && is_token(id)) return id;
    }
    return std::nullopt;
  }

  bool flag(const std::string& key, bool otherwise) const {
    return metadata_.boolean(kKeyPrefix + key).value_or(otherwise);
  }

  OrderedJson added_tokens() const {
    OrderedJson added = OrderedJson::array();
    for (std::size_t id = 0; id < tokens_.size(); ++id) {
      const bool is_special = type(id) == TokenType::kControl || (!pre_ && type(id) == TokenType::kUnknown);
      if (!is_token(id) || (!is_special && type(id) != TokenType::kUserDefined)) continue;
      added.push_back({{"id", id}, {"content", tokens_[id]}, {"normalized", false}, {"special", is_special}});
      if (takes_spaces(id)) added.back()["rstrip"] = true;
    }
    return added;
  }

  // The tokens of Phi-3's chats take the spaces after them along, of which the file says nothing.
  bool takes_spaces(std::size_t id) const {
    constexpr std::array<std::string_view, 3> kLeaveThem = {"<unk>", "<s>", "<|endoftext|>"};
    const bool is_phi3 = !pre_ && metadata_.text("general.architecture") == "phi3";
    return is_phi3 && type(id) == TokenType::kControl && !contains(kLeaveThem, tokens_[id]);
  }

  OrderedJson normalizer() const {
    if (pre_) return pre_->normalizes ? OrderedJson{{"type", "NFC"}} : OrderedJson();
    OrderedJson steps = OrderedJson::array();
    if (add_space_) steps.push_back({{"type", "Prepend"}, {"prepend", kSpaceSymbol}});
    steps.push_back({{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", kSpaceSymbol}});
    return {{"type", "Sequence"}, {"normalizers", std::move(steps)}};
  }

  OrderedJson decoder() const {
    if (pre_) return {{"type", "ByteLevel"}};
    OrderedJson steps = {{{"type", "Replace"}, {"pattern", {{"String", kSpaceSymbol}}}, {"content", " "}},
                         {{"type", "ByteFallback"}},
                         {{"type", "Fuse"}}};
    if (add_space_) steps.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
    return {{"type", "Sequence"}, {"decoders", std::move(steps)}};
  }

  // What is put around a text.
  OrderedJson post_processor() const {
    OrderedJson single = OrderedJson::array(), tokens = OrderedJson::object();
    const auto add = [&](std::optional<std::size_t> id) {
      if (!id) return;
      single.push_back({{"SpecialToken", {{"id", tokens_[*id]}, {"type_id", 0}}}});
      tokens[std::string(tokens_[*id])] = {{"id", tokens_[*id]}, {"ids", {*id}}, {"tokens", {tokens_[*id]}}};
    };
    if (flag("add_bos_token", pre_ ? pre_->adds_bos : true)) add(bos_);
    single.push_back({{"Sequence", {{"id", "A"}, {"type_id", 0}}}});
    if (flag("add_eos_token", false)) add(eos_);
    return {{"type", "TemplateProcessing"}, {"single", std::move(single)}, {"special_tokens", std::move(tokens)}};
  }

  void append_byte_pairs(std::string& json) const {
    json += "{\"type\": \"BPE\", \"ignore_merges\": ";
    json += pre_->ignores_merges ? "true" : "false";
    append_vocabulary(json);
    append_merges(json);
    json += '}';
  }

  // Tokens with their scores; those that no text is joined to have none.
  void append_scored_pairs(std::string& json) const {
    const auto scores = metadata_.numbers(kKeyPrefix + "scores");
    if (!scores) metadata_.missing(kKeyPrefix + "scores");
    if (scores->size() != tokens_.size()) {
      metadata_.fail("there are " + std::to_string(tokens_.size()) + " tokens and the scores of " +
                     std::to_string(scores->size()));
    }
    json += "{\"type\": \"ScoredBPE\", \"byte_fallback\": true, \"unk_id\": ";
    json += unknown_ ? std::to_string(*unknown_) : "null";
    json += ", \"vocab\": [";
    for (std::size_t id = 0; id < tokens_.size(); ++id) {
      if (id > 0) json += ',';
      if (!is_token(id)) {
        json += "null";
        continue;
      }
      const double score = (*scores)[id];
      if (!std::isfinite(score)) metadata_.fail("the score of token " + std::to_string(id) + " is not finite");
      json += OrderedJson({tokens_[id], type(id) == TokenType::kNormal ? OrderedJson(score) : OrderedJson()}).dump();
    }
    json += "]}";
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
  const GgufPreTokenizer* pre_ = nullptr;  // of byte pairs; nullptr: SentencePiece
  std::vector<std::string_view> tokens_;
  std::vector<std::int64_t> types_;
  std::optional<std::size_t> bos_, eos_, unknown_;
  bool add_space_ = false;  // SentencePiece: in front of a text
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
