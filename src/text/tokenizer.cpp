// SPDX-License-Identifier: Apache-2.0
#include "text/tokenizer.h"

#include "base/utf8.h"
#include "text/tokenizer_state.h"

namespace strata::text {
namespace {

void append_words(const TokenizerState& state, WordCache* cache, std::string_view text, bool begins_text,
                  std::vector<std::int32_t>& out) {
  state.pre_tokenizer.run(text, begins_text, [&](std::string_view word) {
    if (cache != nullptr && cache->lookup(word, out)) return;
    const std::size_t before = out.size();
    state.encoder->encode_word(word, out);
    if (cache != nullptr) cache->store(word, out.data() + before, out.size() - before);
  });
}

}  // namespace

Tokenizer::Tokenizer(std::unique_ptr<TokenizerState> state) : state_(std::move(state)) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

Tokenizer Tokenizer::from_json(std::string_view json, const std::string& origin) {
  return Tokenizer(read_tokenizer(json, origin));
}

std::vector<std::int32_t> Tokenizer::encode(std::string_view text, bool parse_special, bool add_special) const {
  std::string repaired;
  if (!is_valid_utf8(text)) text = repaired = replace_invalid_utf8(text);
  // A second thread works without the cache rather than waiting for it.
  const std::unique_lock lock(state_->cache_mutex, std::try_to_lock);
  WordCache* cache = lock.owns_lock() ? &state_->cache : nullptr;

  std::vector<std::int32_t> out;
  if (add_special) out = state_->prefix;
  for (const TextPiece& piece : state_->raw_tokens.split(text, !parse_special)) {
    if (piece.token) {
      out.push_back(*piece.token);
      continue;
    }
    std::string storage;
    const std::string_view normal = state_->normalizer.run(piece.text, storage);
    bool begins_text = piece.text.data() == text.data();
    for (const TextPiece& inner : state_->normalized_tokens.split(normal, !parse_special)) {
      if (inner.token) {
        out.push_back(*inner.token);
      } else {
        append_words(*state_, cache, inner.text, begins_text, out);
      }
      begins_text = false;
    }
  }
  if (add_special) out.insert(out.end(), state_->suffix.begin(), state_->suffix.end());
  return out;
}

std::string Tokenizer::decode(std::span<const std::int32_t> ids, bool skip_special) const {
  std::vector<std::string> tokens;
  tokens.reserve(ids.size());
  for (const std::int32_t id : ids) {
    const bool is_shown = state_->vocabulary.contains(id) && !(skip_special && is_special(id));
    if (is_shown) tokens.emplace_back(state_->spelling(id));
  }
  return state_->decoder.decode(std::move(tokens));
}

std::string Tokenizer::token_bytes(std::int32_t id, bool begins_text) const {
  return state_->decoder.bytes_of(state_->spelling(id), begins_text);
}

const Decoder& Tokenizer::decoder() const { return state_->decoder; }

bool Tokenizer::is_special(std::int32_t id) const { return state_->special_ids.contains(id); }

std::optional<std::int32_t> Tokenizer::id_of(std::string_view token) const { return state_->vocabulary.find(token); }

std::int64_t Tokenizer::vocab_size() const { return state_->vocabulary.size(); }

}  // namespace strata::text
