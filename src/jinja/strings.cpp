// SPDX-License-Identifier: Apache-2.0
// Functions of Python's str, by characters.
#include <algorithm>

#include "base/unicode.h"
#include "base/utf8.h"
#include "jinja/runtime.h"

namespace strata::jinja {
namespace {

template <typename F>
std::string map_characters(std::string_view text, F&& convert) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t pos = 0; pos < text.size();) {
    const Decoded character = decode_utf8(text, pos);
    convert(out, character.code_point);
    pos += character.size;
  }
  return out;
}

}  // namespace

std::string strip(std::string_view text, const std::string* characters, bool left, bool right) {
  const auto is_stripped = [&](std::size_t pos) {
    if (characters == nullptr) return is_python_space(decode_utf8(text, pos).code_point);
    return characters->find(character_at(text, pos)) != std::string::npos;
  };
  std::size_t begin = 0, end = text.size();
  while (left && begin < end && is_stripped(begin)) begin += character_at(text, begin).size();
  while (right && end > begin) {
    std::size_t last = end - 1;
    while (last > begin && (static_cast<unsigned char>(text[last]) & 0xC0) == 0x80) --last;
    if (!is_stripped(last)) break;
    end = last;
  }
  return std::string(text.substr(begin, end - begin));
}

// Characters whose upper case has several characters: utf8proc maps one to one.
std::string upper(std::string_view text) {
  return map_characters(text, [](std::string& out, char32_t c) {
    if (c == 0xDF) {
      out += "SS";
    } else {
      append_utf8(out, to_upper(c));
    }
  });
}

std::string lower(std::string_view text) {
  return map_characters(text, [](std::string& out, char32_t c) { append_utf8(out, to_lower(c)); });
}

std::string capitalize(std::string_view text) {
  bool first = true;
  return map_characters(text, [&](std::string& out, char32_t c) {
    append_utf8(out, std::exchange(first, false) ? to_title(c) : to_lower(c));
  });
}

std::string title(std::string_view text) {
  bool after_letter = false;
  return map_characters(text, [&](std::string& out, char32_t c) {
    append_utf8(out, after_letter ? to_lower(c) : to_title(c));
    after_letter = has_case(c);
  });
}

std::string replace(Runtime& runtime, const std::string& text, const std::string& from, const std::string& to,
                    std::int64_t count) {
  std::string out;
  std::size_t copied = 0;
  const auto limit = [&] {
    if (out.size() > runtime.limits().max_output_bytes) Runtime::fail_limit("text");
  };
  for (std::size_t pos = 0; count != 0 && pos <= text.size(); --count) {
    const std::size_t found = from.empty() ? pos : text.find(from, pos);
    if (found == std::string::npos) break;
    out.append(text, copied, found - copied);
    out += to;
    limit();
    copied = found + from.size();
    pos = from.empty() ? found + (found < text.size() ? character_at(text, found).size() : 1) : copied;
  }
  if (copied < text.size()) out.append(text, copied);
  limit();
  return out;
}

}  // namespace strata::jinja
