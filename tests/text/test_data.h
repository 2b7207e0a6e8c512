// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "tests/base/random_text.h"
#include "text/tokenizer.h"

namespace strata::text {

inline std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  EXPECT_TRUE(in.good()) << path;
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

inline std::vector<nlohmann::ordered_json> read_lines(const std::string& path) {
  std::istringstream in(read_file(path));
  std::vector<nlohmann::ordered_json> rows;
  for (std::string line; std::getline(in, line);) rows.push_back(nlohmann::ordered_json::parse(line));
  return rows;
}

inline std::string qwen3_file(const std::string& name) { return STRATA_SOURCE_DIR "/tests/data/qwen3/" + name; }
inline std::string text_file(const std::string& name) { return STRATA_SOURCE_DIR "/tests/text/data/" + name; }

inline const Tokenizer& qwen3_tokenizer() {
  static const Tokenizer tokenizer =
      Tokenizer::from_json(read_file(STRATA_TEXT_DATA "/tokenizer.json"), "qwen3/tokenizer.json");
  return tokenizer;
}

inline std::string random_bytes(std::mt19937_64& random, std::size_t size) {
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

}  // namespace strata::text
