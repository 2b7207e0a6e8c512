// SPDX-License-Identifier: Apache-2.0
#include "text/decoder.h"

#include "base/utf8.h"
#include "text/byte_level.h"
#include "text/byte_tokens.h"
#include "text/normalizer.h"

namespace strata::text {
namespace {

using Tokens = std::vector<std::string>;

// A step applied to one token.
struct TokenStep {
  std::string token;
  bool is_first;

  std::string operator()(const Decoder::ByteLevel&) const { return bytes_of_spelling(token); }
  std::string operator()(const Decoder::Replace& step) const { return replace_all(token, step.from, step.to); }
  std::string operator()(const Decoder::Metaspace& step) const {
    return replace_all(token, step.symbol, step.drops_first && is_first ? "" : " ");
  }
  std::string operator()(const Decoder::Strip& step) const {
    BeginStripper stripper;
    stripper.add(step.character, step.count);
    return std::string(stripper.strip(token));
  }
  std::string operator()(const Decoder::ByteFallback&) const {
    const auto byte = byte_of_token(token);
    return byte ? std::string(1, static_cast<char>(*byte)) : token;
  }
};

void append_run(std::string& bytes, Tokens& out) {
  if (bytes.empty()) return;
  if (is_valid_utf8(bytes)) {
    out.push_back(bytes);
  } else {
    std::string replacement;
    append_utf8(replacement, kReplacement);
    out.insert(out.end(), bytes.size(), replacement);
  }
  bytes.clear();
}

Tokens join_bytes(const Tokens& tokens) {
  Tokens out;
  std::string bytes;
  for (const std::string& token : tokens) {
    if (const auto byte = byte_of_token(token)) {
      bytes += static_cast<char>(*byte);
    } else {
      append_run(bytes, out);
      out.push_back(token);
    }
  }
  append_run(bytes, out);
  return out;
}

}  // namespace

std::string_view BeginStripper::strip(std::string_view part) {
  while (done_ < strips_.size() && !part.empty()) {
    auto& [character, count] = strips_[done_];
    if (count > 0 && part.starts_with(character)) {
      part.remove_prefix(character.size());
      --count;
    } else {
      ++done_;
    }
  }
  return part;
}

std::string Decoder::decode(std::vector<std::string> tokens) const {
  for (const Step& step : steps_) {
    if (std::holds_alternative<ByteFallback>(step)) {
      tokens = join_bytes(tokens);
      continue;
    }
    bool is_first = true;
    for (std::string& token : tokens) {
      token = std::visit(TokenStep{std::move(token), std::exchange(is_first, false)}, step);
    }
  }
  std::string text;
  for (const std::string& token : tokens) text += token;
  if (!is_valid_utf8(text)) text = replace_invalid_utf8(text);
  return std::string(text_stripper().strip(text));
}

std::string Decoder::bytes_of(std::string_view token, bool is_first) const {
  std::string bytes(token);
  for (const Step& step : steps_) {
    const bool is_byte = std::holds_alternative<ByteFallback>(step) && byte_of_token(bytes);
    bytes = std::visit(TokenStep{std::move(bytes), is_first}, step);
    if (is_byte) break;
  }
  return bytes;
}

}  // namespace strata::text
