// SPDX-License-Identifier: Apache-2.0
#include "cli/html.h"

#include "embedded/page_parts.h"

namespace strata::cli {
namespace {

std::string part(std::string_view suffix) {
  for (const EmbeddedFile& file : embedded::page_parts()) {
    if (file.name.ends_with(suffix)) return std::string(file.content);
  }
  return "";
}

std::string_view escape_of(char c) {
  switch (c) {
    case '&':
      return "&amp;";
    case '<':
      return "&lt;";
    case '>':
      return "&gt;";
    case '"':
      return "&quot;";
    case '\n':
    case '\t':
      return "";
    default:
      return static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? "\xef\xbf\xbd" : "";
  }
}

}  // namespace

std::string html_text(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    const std::string_view escape = escape_of(c);
    if (escape.empty()) {
      escaped += c;
    } else {
      escaped += escape;
    }
  }
  return escaped;
}

std::string element(std::string_view name, std::string_view content, std::string_view css_class) {
  std::string text = "<" + std::string(name);
  if (!css_class.empty()) text += " class=\"" + std::string(css_class) + "\"";
  return text + ">" + std::string(content) + "</" + std::string(name) + ">";
}

std::string html_page(const std::string& title, const std::string& body) {
  std::string page = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n";
  page += "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n";
  page += element("title", html_text(title)) + "\n<link rel=\"icon\" href=\"data:,\"/>\n";
  page += "<style>" + part(".css") + "</style>\n</head>\n<body>\n" + body;
  // A comment to scripts, and to XML what lets them compare.
  return page + "\n<script>//<![CDATA[\n" + part(".js") + "//]]></script>\n</body>\n</html>\n";
}

}  // namespace strata::cli
