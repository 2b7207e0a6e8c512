// SPDX-License-Identifier: Apache-2.0
// A line {"template": ..., "context": {...}} in, a line {"rendered": ...} or {"error": ...} out: the engine for a
// comparison with another one.
#include <iostream>

#include "render.h"

int main() {
  using strata::jinja::Json;
  for (std::string line; std::getline(std::cin, line);) {
    const Json row = Json::parse(line);
    Json result;
    try {
      result["rendered"] = strata::jinja::render(row["template"], row["context"]);
    } catch (const strata::jinja::TemplateError& error) {
      result["error"] = error.what();
    }
    std::cout << result.dump(-1, ' ', true, Json::error_handler_t::replace) << "\n";
  }
}
