// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/error.h"
#include "base/unicode.h"
#include "text/byte_level.h"
#include "text/tokenizer_json.h"
#include "text/tokenizer_state.h"

namespace strata::text {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxPreTokenizerSteps = 16;
constexpr std::size_t kMaxTemplateTokens = 16;

// Builds a TokenizerState from the parsed file, one method per section of it.
class TokenizerReader {
 public:
  TokenizerReader(const TokenizerJson& file, const std::string& origin)
      : file_(file), origin_(origin), state_(std::make_unique<TokenizerState>()) {}

  std::unique_ptr<TokenizerState> read() {
    if (!file_.rest.is_object()) fail("the file is not a JSON object");
    read_model();
    read_added_tokens();
    read_normalizer(section("normalizer"));
    read_pre_tokenizer(section("pre_tokenizer"));
    if (!has_byte_level_) unsupported("pre_tokenizer without ByteLevel", "byte-level BPE (GPT-2, Qwen, Llama 3)");
    read_decoder(section("decoder"));
    read_post_processor(section("post_processor"));
    return std::move(state_);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw model_error(what, origin_, "use the tokenizer.json that belongs to the model");
  }

  [[noreturn]] void unsupported(const std::string& what, const std::string& supported) const {
    throw model_error(what + " is not supported", origin_, "supported: " + supported);
  }

  static std::string shown(std::string_view text) { return "\"" + std::string(text.substr(0, 60)) + "\""; }

  const json& section(const char* name) const { return member(file_.rest, name); }

  static const json& member(const json& object, const char* name) {
    static const json kNull;
    const auto found = object.find(name);
    return found == object.end() ? kNull : *found;
  }

  // The "type" of a component; "" for null.
  std::string type_of(const json& component, const char* where) const {
    if (component.is_null()) return "";
    const json& type = component.is_object() ? member(component, "type") : component;
    if (!component.is_object() || !type.is_string()) fail(std::string(where) + " is not an object with a type");
    return type.get<std::string>();
  }

  const json& list(const json& component, const char* name) const {
    const json& items = member(component, name);
    if (!items.is_array()) fail(std::string(name) + " is not a list");
    return items;
  }

  bool flag(const json& object, const char* name, bool otherwise) const {
    const json& value = member(object, name);
    if (value.is_null()) return otherwise;
    if (!value.is_boolean()) fail(std::string(name) + " is not true or false");
    return value.get<bool>();
  }

  std::int32_t checked_id(const json& value, const std::string& of) const {
    const bool fits = value.is_number_integer() &&
                      (!value.is_number_unsigned() || value.get<std::uint64_t>() <= kMax) &&
                      value.get<std::int64_t>() >= 0 && value.get<std::int64_t>() <= Vocabulary::kMaxId;
    if (!fits) fail_id(of);
    return value.get<std::int32_t>();
  }

  [[noreturn]] void fail_id(const std::string& of) const {
    fail("the id of " + of + " is not an integer from 0 to " + std::to_string(Vocabulary::kMaxId));
  }

  void read_model() {
    const json& model = section("model");
    const std::string type = model.is_object() && model.contains("type") ? type_of(model, "model") : "BPE";
    if (!model.is_object()) fail("model is missing");
    if (type != "BPE") unsupported("tokenizer model " + shown(type), "BPE");
    if (!file_.has_vocab || !file_.has_merges) fail("model.vocab or model.merges is missing");
    refuse_variants(model);
    BytePairEncoder& encoder = state_->encoder;
    encoder.ignore_merges = flag(model, "ignore_merges", false);
    encoder.fuse_unknown = flag(model, "fuse_unk", false);
    read_vocabulary();
    read_merges();
    encoder.index_bytes();
    const json& unknown = member(model, "unk_token");
    if (unknown.is_null()) return;
    if (!unknown.is_string()) fail("unk_token is not a string");
    encoder.unknown_token = encoder.vocabulary.find(unknown.get<std::string>());
    if (!encoder.unknown_token) fail("unk_token " + shown(unknown.get<std::string>()) + " is not in the vocabulary");
  }

  void refuse_variants(const json& model) const {
    if (flag(model, "byte_fallback", false)) unsupported("byte_fallback", "byte-level BPE (GPT-2, Qwen, Llama 3)");
    const json& dropout = member(model, "dropout");
    if (!dropout.is_null() && !(dropout.is_number() && dropout.get<double>() == 0)) unsupported("dropout", "null");
    for (const char* name : {"continuing_subword_prefix", "end_of_word_suffix"}) {
      const json& affix = member(model, name);
      if (!affix.is_null() && affix != "") unsupported(name, "null or an empty string");
    }
  }

  void read_vocabulary() {
    Vocabulary& vocabulary = state_->encoder.vocabulary;
    vocabulary.reserve(file_.vocab.size(), file_.pool.size());
    for (const auto& [slice, id] : file_.vocab) {
      const std::string_view token = file_.text(slice);
      if (id < 0 || id > Vocabulary::kMaxId) fail_id(shown(token));
      if (!vocabulary.insert(token, static_cast<std::int32_t>(id))) {
        fail("two tokens have the id " + std::to_string(id) + ", one of them " + shown(token));
      }
    }
  }

  void read_merges() {
    BytePairEncoder& encoder = state_->encoder;
    encoder.merges.reserve(file_.merges.size());
    std::string joined;
    for (std::size_t rank = 0; rank < file_.merges.size(); ++rank) {
      const std::string_view left = file_.text(file_.merges[rank].first), right = file_.text(file_.merges[rank].second);
      joined.assign(left).append(right);
      encoder.merges.insert(merged_token(left, rank), merged_token(right, rank),
                            {static_cast<std::uint32_t>(rank), merged_token(joined, rank)});
    }
  }

  std::int32_t merged_token(std::string_view token, std::size_t rank) const {
    const auto id = state_->encoder.vocabulary.find(token);
    if (!id) fail("merge " + std::to_string(rank) + " names " + shown(token) + ", which is not in the vocabulary");
    return *id;
  }

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
    if (!token.normalized) return state_->raw_tokens.add(std::move(token));
    normalized_.push_back(std::move(token));
  }

  // The vocabulary's id wins over the entry's, as in Hugging Face's library.
  std::int32_t added_id(const std::string& content, const json& value) {
    Vocabulary& vocabulary = state_->encoder.vocabulary;
    const std::int32_t id = checked_id(value, "added token " + shown(content));
    if (const auto known = vocabulary.find(content)) return *known;
    if (!vocabulary.insert(content, id)) {
      fail("added token " + shown(content) + " has the id " + std::to_string(id) + " of another token");
    }
    return id;
  }

  void read_normalizer(const json& normalizer) {
    read_normalizer_part(normalizer, 0);
    for (AddedToken& token : normalized_) {
      std::string storage;
      if (state_->normalizes) token.content = std::string(normalize_nfc(token.content, storage));
      state_->normalized_tokens.add(std::move(token));
    }
  }

  void read_normalizer_part(const json& part, int depth) {
    const std::string type = type_of(part, "normalizer");
    if (type.empty()) return;
    if (type == "Sequence" && depth == 0) {
      for (const json& inner : list(part, "normalizers")) read_normalizer_part(inner, depth + 1);
    } else if (type == "NFC") {
      state_->normalizes = true;
    } else {
      unsupported("normalizer " + shown(type), "NFC, null, a Sequence of these");
    }
  }

  void read_pre_tokenizer(const json& part, int depth = 0) {
    const std::string type = type_of(part, "pre_tokenizer");
    PreTokenizer& steps = state_->pre_tokenizer;
    if (steps.size() > kMaxPreTokenizerSteps) fail("pre_tokenizer has too many steps");
    if (type.empty()) return;
    if (type == "Sequence" && depth == 0) {
      for (const json& inner : list(part, "pretokenizers")) read_pre_tokenizer(inner, depth + 1);
    } else if (type == "Split") {
      read_split(part);
    } else if (type == "Digits") {
      steps.add_split(flag(part, "individual_digits", false) ? SplitPattern::kDigit : SplitPattern::kDigitRun);
    } else if (type == "ByteLevel") {
      if (has_byte_level_) fail("pre_tokenizer has two ByteLevel steps");
      has_byte_level_ = true;
      if (flag(part, "add_prefix_space", true)) steps.add_prefix_space();
      if (flag(part, "use_regex", true)) steps.add_split(SplitPattern::kGpt2);
    } else {
      unsupported("pre_tokenizer " + shown(type), "Split, Digits, ByteLevel, a Sequence of these");
    }
    if (has_byte_level_ && type != "ByteLevel" && type != "Sequence") {
      unsupported("pre_tokenizer " + shown(type) + " after ByteLevel", "ByteLevel as the last step");
    }
  }

  // A pattern that covers the whole text cuts it the same way whether its matches are isolated, or what is not
  // matched is removed.
  void read_split(const json& part) {
    const json& pattern = member(part, "pattern");
    const json& regex = pattern.is_object() ? member(pattern, "Regex") : pattern;
    if (!pattern.is_object() || !regex.is_string()) unsupported("a Split without a Regex", "a Regex pattern");
    const auto known = find_split_pattern(regex.get<std::string>());
    if (!known) unsupported("Split pattern " + shown(regex.get<std::string>()), supported_split_patterns());
    const json& behavior = member(part, "behavior");
    const bool inverted = flag(part, "invert", false);
    const bool isolates = behavior == "Isolated" || (behavior == "Removed" && inverted);
    if (!isolates) unsupported("Split behavior " + behavior.dump().substr(0, 40), "Isolated, Removed with invert");
    state_->pre_tokenizer.add_split(*known);
  }

  void read_decoder(const json& decoder) const {
    const std::string type = type_of(decoder, "decoder");
    const bool wraps_one = type == "Sequence" && list(decoder, "decoders").size() == 1;
    const std::string inner = wraps_one ? type_of(decoder["decoders"][0], "decoder") : type;
    if (inner != "ByteLevel") unsupported(type.empty() ? "decoder null" : "decoder " + shown(type), "ByteLevel");
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
      out.push_back(checked_id(id, "special token " + shown(name)));
      const bool is_known = out.back() < state_->encoder.vocabulary.size();
      if (!is_known) fail("post_processor puts in " + shown(name) + ", whose id the vocabulary does not have");
    }
    if (out.size() > kMaxTemplateTokens) fail("post_processor adds too many tokens");
  }

  static constexpr std::uint64_t kMax = static_cast<std::uint64_t>(Vocabulary::kMaxId);

  const TokenizerJson& file_;
  const std::string& origin_;
  std::unique_ptr<TokenizerState> state_;
  std::vector<AddedToken> normalized_;  // until the normaliser is known
  bool has_byte_level_ = false;
  bool has_template_ = false;
};

}  // namespace

std::unique_ptr<TokenizerState> read_tokenizer(std::string_view json, const std::string& origin) {
  const TokenizerJson file = parse_tokenizer_json(json, origin);
  return TokenizerReader(file, origin).read();
}

}  // namespace strata::text
