// SPDX-License-Identifier: Apache-2.0
// Functions of Python's str, by characters.
#include <algorithm>
#include <cstring>

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

// utf8proc maps one character to one; of those that become two, German has one.
constexpr char32_t kSharpS = 0xDF;

void append_upper(std::string& out, char32_t c) {
  if (c == kSharpS) {
    out += "SS";
  } else {
    append_utf8(out, to_upper(c));
  }
}

void append_title(std::string& out, char32_t c) {
  if (c == kSharpS) {
    out += "Ss";
  } else {
    append_utf8(out, to_title(c));
  }
}

}  // namespace

std::string strip(Runtime& runtime, std::string_view text, const std::string* characters, bool left, bool right) {
  const auto is_stripped = [&](std::size_t pos) {
    runtime.step();
    if (characters == nullptr) return is_python_space(decode_utf8(text, pos).code_point);
    runtime.step_bytes(characters->size());
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

std::size_t find_text(Runtime& runtime, std::string_view text, std::string_view part, std::size_t from) {
  if (from > text.size()) return std::string_view::npos;
  const std::string_view rest = text.substr(from);
  // memmem is linear, which std::string_view::find is not. The part is looked at even where it is found at once.
  const void* found = memmem(rest.data(), rest.size(), part.data(), part.size());
  const std::size_t at =
      found == nullptr ? rest.size() : static_cast<std::size_t>(static_cast<const char*>(found) - rest.data());
  runtime.step_items((at + part.size()) / 24);
  return found == nullptr ? std::string_view::npos : from + at;
}

std::string reversed(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t end = text.size(); end > 0;) {
    std::size_t begin = end - 1;
    while (begin > 0 && (static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80) --begin;
    out.append(text.substr(begin, end - begin));
    end = begin;
  }
  return out;
}

std::string escape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '\'':
        out += "&#39;";
        break;
      case '"':
        out += "&#34;";
        break;
      default:
        out.push_back(c);
    }
  }
  return out;
}

std::string pad(Runtime& runtime, std::string_view text, std::int64_t width, Side side, std::string_view fill) {
  runtime.step_items(text.size() / 16);
  const auto size = static_cast<std::int64_t>(count_code_points(text));
  if (width <= size) return std::string(text);
  const auto missing = static_cast<std::size_t>(width - size);
  if (missing > runtime.limits().max_output_bytes) Runtime::fail_limit("text");
  runtime.charge_text(text.size() + missing * fill.size());
  // str.center puts the odd space to the left where the width is odd.
  const std::size_t left = side == Side::kRight  ? missing
                           : side == Side::kLeft ? 0
                                                 : missing / 2 + (missing & static_cast<std::size_t>(width) & 1);
  std::string out;
  out.reserve(text.size() + missing * fill.size());
  const auto append_fill = [&](std::size_t count) {
    if (fill.size() == 1) return void(out.append(count, fill[0]));
    for (std::size_t i = 0; i < count; ++i) out += fill;
  };
  append_fill(left);
  out += text;
  append_fill(missing - left);
  return out;
}

std::string upper(std::string_view text) { return map_characters(text, append_upper); }

std::string lower(std::string_view text) {
  return map_characters(text, [](std::string& out, char32_t c) { append_utf8(out, to_lower(c)); });
}

std::string casefold(std::string_view text) {
  return map_characters(text, [](std::string& out, char32_t c) {
    if (c == kSharpS) {
      out += "ss";
    } else {
      append_utf8(out, to_lower(c));
    }
  });
}

std::string capitalize(std::string_view text) {
  bool first = true;
  return map_characters(text, [&](std::string& out, char32_t c) {
    if (std::exchange(first, false)) {
      append_title(out, c);
    } else {
      append_utf8(out, to_lower(c));
    }
  });
}

std::string swapcase(std::string_view text) {
  return map_characters(text, [](std::string& out, char32_t c) {
    if (to_lower(c) != c) {
      append_utf8(out, to_lower(c));
    } else {
      append_upper(out, c);
    }
  });
}

std::string title(std::string_view text) {
  bool after_letter = false;
  return map_characters(text, [&](std::string& out, char32_t c) {
    if (after_letter) {
      append_utf8(out, to_lower(c));
    } else {
      append_title(out, c);
    }
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
    const std::size_t found = from.empty() ? pos : find_text(runtime, text, from, pos);
    if (found == std::string::npos) break;
    runtime.step_items(1 + to.size() / 64);
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
