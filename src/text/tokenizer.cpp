// SPDX-License-Identifier: Apache-2.0
#include "text/tokenizer.h"

#include "base/unicode.h"
#include "base/utf8.h"
#include "text/byte_level.h"
#include "text/tokenizer_state.h"

namespace strata::text {
namespace {

void append_words(const TokenizerState& state, WordCache* cache, std::string_view text,
                  std::vector<std::int32_t>& out) {
  state.pre_tokenizer.run(text, [&](std::string_view word) {
    if (cache != nullptr && cache->lookup(word, out)) return;
    const std::size_t before = out.size();
    state.encoder.encode_word(word, out);
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
    const std::string_view normal = state_->normalizes ? normalize_nfc(piece.text, storage) : piece.text;
    for (const TextPiece& inner : state_->normalized_tokens.split(normal, !parse_special)) {
      if (inner.token) {
        out.push_back(*inner.token);
      } else {
        append_words(*state_, cache, inner.text, out);
      }
    }
  }
  if (add_special) out.insert(out.end(), state_->suffix.begin(), state_->suffix.end());
  return out;
}

std::string Tokenizer::decode(std::span<const std::int32_t> ids, bool skip_special) const {
  std::string bytes;
  for (const std::int32_t id : ids) {
    if (!(skip_special && is_special(id))) bytes += token_bytes(id);
  }
  return is_valid_utf8(bytes) ? bytes : replace_invalid_utf8(bytes);
}

std::string Tokenizer::token_bytes(std::int32_t id) const {
  const Vocabulary& vocabulary = state_->encoder.vocabulary;
  return vocabulary.contains(id) ? bytes_of_spelling(vocabulary.token(id)) : "";
}

bool Tokenizer::is_special(std::int32_t id) const { return state_->special_ids.contains(id); }

std::optional<std::int32_t> Tokenizer::id_of(std::string_view token) const {
  return state_->encoder.vocabulary.find(token);
}

std::int64_t Tokenizer::vocab_size() const { return state_->encoder.vocabulary.size(); }

}  // namespace strata::text
