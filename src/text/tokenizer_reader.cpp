// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/error.h"
#include "text/component_reader.h"
#include "text/model_reader.h"
#include "text/steps_reader.h"
#include "text/tokenizer_json.h"
#include "text/tokenizer_state.h"

namespace strata::text {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxTemplateTokens = 16;

// Builds a TokenizerState from the parsed file, one method per section of it.
class TokenizerReader : private ComponentReader {
 public:
  TokenizerReader(const TokenizerJson& file, const std::string& origin)
      : ComponentReader(origin), file_(file), origin_(origin), state_(std::make_unique<TokenizerState>()) {}

  std::unique_ptr<TokenizerState> read() {
    if (!file_.rest.is_object()) fail("the file is not a JSON object");
    PreTokenizerSection words = read_pre_tokenizer(section("pre_tokenizer"), origin_);
    state_->pre_tokenizer = std::move(words.steps);
    read_model(file_, origin_, words.is_byte_level, *state_);
    state_->normalizer = read_normalizer(section("normalizer"), origin_);
    read_added_tokens();
    state_->decoder = read_decoder(section("decoder"), origin_, words.is_byte_level);
    read_post_processor(section("post_processor"));
    return std::move(state_);
  }

 private:
  const json& section(const char* name) const { return member(file_.rest, name); }

  void read_added_tokens() {
    const json& tokens = section("added_tokens");
    if (tokens.is_null()) return;
    if (!tokens.is_array()) fail("added_tokens is not a list");
    for (const json& entry : tokens) read_added_token(entry);
  }

  void read_added_token(const json& entry) {
    const json& content = entry.is_object() ? member(entry, "content") : entry;
    if (!entry.is_object() || !content.is_string()) fail("an added token has no content");
    AddedToken token;
    token.content = content.get<std::string>();
    if (token.content.empty()) return;
    if (token.content.size() > AddedTokenMatcher::kMaxContentBytes) fail("an added token is longer than 1024 bytes");
    token.id = added_id(token.content, member(entry, "id"));
    token.special = flag(entry, "special", false);
    token.normalized = flag(entry, "normalized", !token.special);
    token.single_word = flag(entry, "single_word", false);
    token.left_strip = flag(entry, "lstrip", false);
    token.right_strip = flag(entry, "rstrip", false);
    if (token.special) state_->special_ids.insert(token.id);
    if (token.normalized) return add_normalized(std::move(token));
    state_->raw_tokens.add(std::move(token));
  }

  void add_normalized(AddedToken token) {
    std::string storage;
    const std::string_view normal = state_->normalizer.run(token.content, storage);
    if (normal.empty()) return;
    if (normal.size() > AddedTokenMatcher::kMaxContentBytes) fail("an added token is longer than 1024 bytes");
    if (normal != token.content) {
      token.content = std::string(normal);
      state_->normalized_spellings[token.id] = token.content;
    }
    state_->normalized_tokens.add(std::move(token));
  }

  // The vocabulary's id wins over the entry's, as in Hugging Face's library.
  std::int32_t added_id(const std::string& content, const json& value) {
    Vocabulary& vocabulary = state_->vocabulary;
    const std::int32_t id = token_id(value, "added token " + shown(content));
    if (const auto known = vocabulary.find(content)) return *known;
    if (!vocabulary.insert(content, id)) {
      fail("added token " + shown(content) + " has the id " + std::to_string(id) + " of another token");
    }
    return id;
  }

  void read_post_processor(const json& part, int depth = 0) {
    const std::string type = type_of(part, "post_processor");
    if (type.empty() || type == "ByteLevel") return;
    if (type == "Sequence" && depth == 0) {
      for (const json& inner : list(part, "processors")) read_post_processor(inner, depth + 1);
    } else if (type == "TemplateProcessing") {
      read_template(part);
    } else {
      unsupported("post_processor " + shown(type), "ByteLevel, TemplateProcessing, a Sequence of these");
    }
  }

  void read_template(const json& part) {
    if (has_template_) fail("post_processor has two TemplateProcessing steps");
    has_template_ = true;
    bool after_text = false;
    for (const json& item : list(part, "single")) {
      if (item.is_object() && item.contains("Sequence")) {
        if (after_text) fail("post_processor repeats the text");
        after_text = true;
        continue;
      }
      const json& special = item.is_object() ? member(item, "SpecialToken") : item;
      if (!special.is_object() || !member(special, "id").is_string()) fail("post_processor has a malformed template");
      append_template_ids(part, special["id"].get<std::string>(), after_text ? state_->suffix : state_->prefix);
    }
    if (!after_text) fail("post_processor leaves the text out");
  }

  void append_template_ids(const json& part, const std::string& name, std::vector<std::int32_t>& out) const {
    const json& tokens = member(part, "special_tokens");
    const json& token = tokens.is_object() ? member(tokens, name.c_str()) : tokens;
    const json& ids = token.is_object() ? member(token, "ids") : token;
    if (!ids.is_array()) fail("post_processor does not define " + shown(name));
    for (const json& id : ids) {
      out.push_back(token_id(id, "special token " + shown(name)));
      const bool is_known = out.back() < state_->vocabulary.size();
      if (!is_known) fail("post_processor puts in " + shown(name) + ", whose id the vocabulary does not have");
    }
    if (out.size() > kMaxTemplateTokens) fail("post_processor adds too many tokens");
  }

  const TokenizerJson& file_;
  const std::string& origin_;
  std::unique_ptr<TokenizerState> state_;
  bool has_template_ = false;
};

}  // namespace

std::unique_ptr<TokenizerState> read_tokenizer(std::string_view json, const std::string& origin) {
  const TokenizerJson file = parse_tokenizer_json(json, origin);
  return TokenizerReader(file, origin).read();
}

}  // namespace strata::text
