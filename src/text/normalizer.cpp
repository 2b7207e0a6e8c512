// SPDX-License-Identifier: Apache-2.0
#include "text/normalizer.h"

#include <utility>

#include "base/unicode.h"
#include "base/utf8.h"

namespace strata::text {
namespace {

bool is_space(char32_t character) { return char_class(character) == CharClass::kSpace; }

std::size_t end_of_spaces(std::string_view text) {
  std::size_t pos = 0;
  while (pos < text.size()) {
    const Decoded character = decode_utf8(text, pos);
    if (!is_space(character.code_point)) break;
    pos += character.size;
  }
  return pos;
}

std::size_t begin_of_last_spaces(std::string_view text) {
  std::size_t end = text.size();
  while (end > 0) {
    std::size_t begin = end - 1;
    while (begin > 0 && (static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80) --begin;
    if (!is_space(decode_utf8(text, begin).code_point)) break;
    end = begin;
  }
  return end;
}

// Each applies one kind of step; the result is a view of `text` or of `storage`.
struct Application {
  std::string_view text;
  std::string& storage;

  std::string_view operator()(const Normalizer::Nfc&) const { return normalize_nfc(text, storage); }
  std::string_view operator()(const Normalizer::Nfkc&) const { return normalize_nfkc(text, storage); }

  std::string_view operator()(const Normalizer::Lowercase&) const {
    storage.clear();
    for (std::size_t pos = 0; pos < text.size();) {
      const Decoded character = decode_utf8(text, pos);
      append_lowercase(storage, character.code_point);
      pos += character.size;
    }
    return storage;
  }

  std::string_view operator()(const Normalizer::Prepend& step) const {
    if (text.empty()) return text;
    storage.assign(step.text).append(text);
    return storage;
  }

  std::string_view operator()(const Normalizer::Replace& step) const {
    if (text.find(step.from) == std::string_view::npos) return text;
    storage = replace_all(text, step.from, step.to);
    return storage;
  }

  std::string_view operator()(const Normalizer::ReplaceSpaceRuns& step) const {
    storage.clear();
    for (std::size_t pos = 0; pos < text.size();) {
      std::size_t end = pos;
      while (end < text.size() && text[end] == ' ') ++end;
      if (end - pos >= 2) {
        storage += step.to;
        pos = end;
      } else {
        storage += text[pos++];
      }
    }
    return storage;
  }

  std::string_view operator()(const Normalizer::Strip& step) const {
    const std::size_t begin = step.left ? end_of_spaces(text) : 0;
    const std::string_view rest = text.substr(begin);
    return step.right ? rest.substr(0, begin_of_last_spaces(rest)) : rest;
  }
};

}  // namespace

std::string replace_all(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  out.reserve(text.size());
  std::size_t begin = 0;
  for (std::size_t found = 0; (found = text.find(from, begin)) != std::string_view::npos;) {
    out.append(text, begin, found - begin).append(to);
    begin = found + from.size();
  }
  return out.append(text, begin);
}

std::string_view Normalizer::run(std::string_view text, std::string& storage) const {
  std::string written;  // a step may not write where its text lies
  for (const Step& step : steps_) {
    text = std::visit(Application{text, written}, step);
    if (text.data() != written.data()) continue;
    std::swap(storage, written);
    text = storage;
  }
  return text;
}

}  // namespace strata::text
