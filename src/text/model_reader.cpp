// SPDX-License-Identifier: Apache-2.0
#include "text/model_reader.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

#include "base/utf8.h"
#include "text/bpe.h"
#include "text/component_reader.h"
#include "text/unigram.h"

namespace strata::text {
namespace {

using nlohmann::json;

class ModelReader : private ComponentReader {
 public:
  ModelReader(const TokenizerJson& file, const std::string& origin, TokenizerState& state)
      : ComponentReader(origin), file_(file), state_(state), model_(member(file.rest, "model")) {}

  void read(bool is_byte_level) {
    const std::string type = model_.is_object() && model_.contains("type") ? type_of(model_, "model") : "BPE";
    if (!model_.is_object()) fail("model is missing");
    const bool has_scores = type == "Unigram" || type == "ScoredBPE";
    if (type != "BPE" && !has_scores) unsupported("tokenizer model " + shown(type), "BPE, Unigram");
    if (has_scores && is_byte_level) unsupported("tokenizer model " + shown(type) + " with ByteLevel", "BPE");
    if (type == "BPE") read_bpe(is_byte_level);
    if (type == "Unigram") read_unigram();
    if (type == "ScoredBPE") read_scored_bpe();
  }

 private:
  Vocabulary& vocabulary() { return state_.vocabulary; }

  void read_bpe(bool is_byte_level) {
    if (!file_.has_vocab || !file_.has_merges) fail("model.vocab or model.merges is missing");
    refuse_variants(is_byte_level);
    read_vocabulary();
    auto encoder = std::make_unique<BytePairEncoder>(vocabulary());
    encoder->ignore_merges = flag(model_, "ignore_merges", false);
    encoder->fuse_unknown = flag(model_, "fuse_unk", false);
    encoder->byte_fallback = byte_fallback();
    read_merges(*encoder);
    is_byte_level ? encoder->begin_with_bytes() : encoder->begin_with_characters();
    if (!member(model_, "unk_token").is_null()) {
      const std::string unknown = text(model_, "unk_token");
      encoder->unknown_token = vocabulary().find(unknown);
      if (!encoder->unknown_token) fail("unk_token " + shown(unknown) + " is not in the vocabulary");
    }
    take(std::move(encoder));
  }

  void take(std::unique_ptr<BytePairEncoder> encoder) {
    if (encoder->may_cut_before_spaces()) state_.pre_tokenizer.add(SpaceSymbolSplit{});
    state_.encoder = std::move(encoder);
  }

  void refuse_variants(bool is_byte_level) const {
    if (is_byte_level && flag(model_, "byte_fallback", false)) {
      unsupported("byte_fallback with ByteLevel", "one of the two");
    }
    const json& dropout = member(model_, "dropout");
    if (!dropout.is_null() && !(dropout.is_number() && dropout.get<double>() == 0)) unsupported("dropout", "null");
    for (const char* name : {"continuing_subword_prefix", "end_of_word_suffix"}) {
      const json& affix = member(model_, name);
      if (!affix.is_null() && affix != "") unsupported(name, "null or an empty string");
    }
  }

  std::optional<ByteTokens> byte_fallback() {
    return flag(model_, "byte_fallback", false) ? std::optional(ByteTokens(vocabulary())) : std::nullopt;
  }

  void insert(std::string_view token, std::int64_t id) {
    if (id < 0 || id > Vocabulary::kMaxId) fail_token_id(shown(token));
    if (!vocabulary().insert(token, static_cast<std::int32_t>(id))) {
      fail("two tokens have the id " + std::to_string(id) + ", one of them " + shown(token));
    }
  }

  void read_vocabulary() {
    vocabulary().reserve(file_.vocab.size(), file_.pool.size());
    for (const auto& [slice, id] : file_.vocab) insert(file_.text(slice), id);
  }

  void read_merges(BytePairEncoder& encoder) {
    encoder.merges.reserve(file_.merges.size());
    std::string joined;
    for (std::size_t rank = 0; rank < file_.merges.size(); ++rank) {
      const std::string_view left = file_.text(file_.merges[rank].first), right = file_.text(file_.merges[rank].second);
      joined.assign(left).append(right);
      encoder.merges.insert(merged_token(left, rank), merged_token(right, rank),
                            {static_cast<std::uint32_t>(rank), merged_token(joined, rank)});
    }
  }

  std::int32_t merged_token(std::string_view token, std::size_t rank) {
    const auto id = vocabulary().find(token);
    if (!id) fail("merge " + std::to_string(rank) + " names " + shown(token) + ", which is not in the vocabulary");
    return *id;
  }

  // The tokens of a vocabulary with scores; returns these by id, NaN of those that have none.
  std::vector<double> read_scored_vocabulary() {
    if (!file_.has_scored) fail("model.vocab is not a list of tokens with scores");
    vocabulary().reserve(file_.scored.size(), file_.pool.size());
    std::vector<double> scores;
    for (const auto& [slice, score, is_hole] : file_.scored) {
      const auto id = static_cast<std::int64_t>(scores.size());
      scores.push_back(score);
      if (is_hole) continue;
      const std::string_view token = file_.text(slice);
      if (token.size() > UnigramEncoder::kMaxTokenBytes)
        fail("token " + std::to_string(id) + " is longer than 1024 bytes");
      if (std::isinf(score)) fail("the score of token " + shown(token) + " is not finite");
      insert(token, id);
    }
    return scores;
  }

  std::optional<std::int32_t> unknown_token() {
    const json& value = member(model_, "unk_id");
    if (value.is_null()) return std::nullopt;
    const std::int32_t id = token_id(value, "the unknown token");
    if (!vocabulary().contains(id)) fail("unk_id is " + std::to_string(id) + ", which the vocabulary does not have");
    return id;
  }

  void read_unigram() {
    std::vector<double> scores = read_scored_vocabulary();
    for (std::size_t id = 0; id < scores.size(); ++id) {
      if (std::isnan(scores[id])) fail("token " + std::to_string(id) + " has no score");
    }
    const auto unknown = unknown_token();
    if (!unknown) unsupported("a Unigram model without unk_id", "the id of the token for unknown characters");
    state_.encoder = std::make_unique<UnigramEncoder>(vocabulary(), std::move(scores), *unknown, byte_fallback());
  }

  void read_scored_bpe() {
    const std::vector<double> scores = read_scored_vocabulary();
    auto encoder = std::make_unique<BytePairEncoder>(vocabulary());
    std::vector<bool> has_score;
    for (const double score : scores) has_score.push_back(!std::isnan(score));
    add_scored_merges(scores, has_score, encoder->merges);
    encoder->begin_with_characters(has_score);
    encoder->byte_fallback = byte_fallback();
    encoder->fuse_unknown = true;
    encoder->unknown_token = unknown_token();
    const bool covers_all = encoder->unknown_token || (encoder->byte_fallback && encoder->byte_fallback->is_complete());
    if (!covers_all) fail("the model has neither a token for unknown characters nor those of all bytes");
    take(std::move(encoder));
  }

  // Each way to make a token of two; those with the same score have the same rank.
  void add_scored_merges(const std::vector<double>& scores, const std::vector<bool>& has_score, MergeTable& merges) {
    std::vector<double> ranked;
    for (const double score : scores) {
      if (!std::isnan(score)) ranked.push_back(score);
    }
    std::ranges::sort(ranked, std::greater<>());
    const auto part = [&](std::string_view text) {
      const auto id = vocabulary().find(text);
      return id && has_score[static_cast<std::size_t>(*id)] ? id : std::nullopt;
    };
    for (std::size_t index = 0; index < scores.size(); ++index) {
      const auto id = static_cast<std::int32_t>(index);
      if (!has_score[index] || !vocabulary().contains(id)) continue;
      const auto rank = std::ranges::lower_bound(ranked, scores[index], std::greater<>()) - ranked.begin();
      const std::string_view token = vocabulary().token(id);
      for (std::size_t cut = 0; cut < token.size();) {
        const auto left = part(token.substr(0, cut)), right = part(token.substr(cut));
        if (cut > 0 && left && right) merges.insert(*left, *right, {static_cast<std::uint32_t>(rank), id});
        cut += decode_utf8(token, cut).size;
      }
    }
  }

  const TokenizerJson& file_;
  TokenizerState& state_;
  const json& model_;
};

}  // namespace

void read_model(const TokenizerJson& file, const std::string& origin, bool is_byte_level, TokenizerState& state) {
  ModelReader(file, origin, state).read(is_byte_level);
}

}  // namespace strata::text
