// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"

#include <string_view>

namespace strata {
namespace {

constexpr std::size_t kMaxMessage = 380;

// Keeps a message on one line whatever a file's names contain.
std::string one_line(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\n' || c == '\r' || c == '\t') {
      out += ' ';
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += '?';
    } else {
      out += c;
    }
  }
  return out;
}

// Cuts the middle out, so that both the culprit at the start and the remedy at the end stay readable.
std::string shorten(std::string text, std::size_t limit) {
  if (text.size() <= limit) return text;
  constexpr std::string_view kDots = " ... ";
  const std::size_t tail = limit / 3;
  const std::size_t head = limit - tail - kDots.size();
  return text.substr(0, head) + std::string(kDots) + text.substr(text.size() - tail);
}

std::string compose(const std::string& what, const std::string& where, const std::string& remedy) {
  std::string text = shorten(one_line(what), 200);
  if (!where.empty()) text += ", " + shorten(one_line(where), 160);
  if (!remedy.empty()) text += "; " + one_line(remedy);
  return shorten(text, kMaxMessage);
}

}  // namespace

Error::Error(ExitCode code, const std::string& what, const std::string& where, const std::string& remedy)
    : std::runtime_error(compose(what, where, remedy)), code_(code) {}

void internal_error(const char* file, int line, const std::string& message) {
  throw std::logic_error("internal error: " + message + " (" + file + ":" + std::to_string(line) + ")");
}

}  // namespace strata
