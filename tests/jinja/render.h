// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "jinja/interpreter.h"
#include "jinja/parser.h"
#include "jinja/runtime.h"

namespace strata::jinja {

using Json = nlohmann::ordered_json;

inline std::string render(const std::string& source, const Json& context = Json::object(),
                          const RenderLimits& limits = {}) {
  const Template parsed = parse_template(source);
  Runtime runtime(limits);
  return Interpreter(runtime).render(parsed, context);
}

inline std::vector<Json> read_cases() {
  std::ifstream in(STRATA_SOURCE_DIR "/tests/jinja/data/cases.jsonl");
  std::vector<Json> rows;
  for (std::string line; std::getline(in, line);) rows.push_back(Json::parse(line));
  return rows;
}

}  // namespace strata::jinja
