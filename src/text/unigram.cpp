// SPDX-License-Identifier: Apache-2.0
#include "text/unigram.h"

#include <algorithm>
#include <ranges>
#include <utility>

#include "base/utf8.h"

namespace strata::text {
namespace {

// How much worse than the worst token a character without one is.
constexpr double kUnknownPenalty = 10;

std::vector<std::pair<std::string_view, std::int32_t>> tokens_of(const Vocabulary& vocabulary, std::size_t count) {
  std::vector<std::pair<std::string_view, std::int32_t>> tokens;
  for (std::int32_t id = 0; id < static_cast<std::int32_t>(count); ++id) {
    if (vocabulary.contains(id)) tokens.emplace_back(vocabulary.token(id), id);
  }
  return tokens;
}

}  // namespace

UnigramEncoder::UnigramEncoder(const Vocabulary& vocabulary, std::vector<double> scores, std::int32_t unknown_token,
                               std::optional<ByteTokens> byte_fallback)
    : vocabulary_(vocabulary),
      scores_(std::move(scores)),
      unknown_token_(unknown_token),
      unknown_score_(*std::ranges::min_element(scores_) - kUnknownPenalty),
      byte_fallback_(std::move(byte_fallback)),
      trie_(tokens_of(vocabulary, scores_.size())) {}

std::vector<UnigramEncoder::Step> UnigramEncoder::best_steps(std::string_view word) const {
  std::vector<Step> steps(word.size() + 1);
  const auto reach = [&](std::size_t begin, std::size_t end, double score, std::int32_t token) {
    Step& step = steps[end];
    score += steps[begin].score;
    if (step.token < 0 || score > step.score) step = {score, static_cast<std::uint32_t>(begin), token};
  };
  for (std::size_t pos = 0; pos < word.size();) {
    const std::size_t character = decode_utf8(word, pos).size;
    bool is_token = false;
    trie_.for_each_at(word, pos, [&](std::int32_t token, std::size_t size) {
      reach(pos, pos + size, scores_[static_cast<std::size_t>(token)], token);
      is_token = is_token || size == character;
    });
    if (!is_token) reach(pos, pos + character, unknown_score_, unknown_token_);
    pos += character;
  }
  return steps;
}

// The run's own text may be a token: that of the unknown token.
void UnigramEncoder::append_unknown(std::string_view run, std::vector<std::int32_t>& out) const {
  if (const auto token = vocabulary_.find(run); token && static_cast<std::size_t>(*token) < scores_.size()) {
    out.push_back(*token);
  } else if (!(byte_fallback_ && byte_fallback_->append(run, out))) {
    out.push_back(unknown_token_);
  }
}

void UnigramEncoder::encode_word(std::string_view word, std::vector<std::int32_t>& out) const {
  const std::vector<Step> steps = best_steps(word);
  std::vector<std::pair<std::size_t, std::size_t>> pieces;  // where each begins and ends, the last first
  bool after_unknown = false;
  for (std::size_t end = word.size(); end > 0; end = steps[end].begin) {
    const bool is_unknown = steps[end].token == unknown_token_;
    if (is_unknown && after_unknown) {
      pieces.back().first = steps[end].begin;
    } else {
      pieces.emplace_back(steps[end].begin, end);
    }
    after_unknown = is_unknown;
  }
  for (const auto& [begin, end] : pieces | std::views::reverse) {
    const Step& last = steps[end];
    if (last.token == unknown_token_) {
      append_unknown(word.substr(begin, end - begin), out);
    } else {
      out.push_back(last.token);
    }
  }
}

}  // namespace strata::text
