// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace strata::text {

// A tokenizer.json taken apart: the long lists as they come, everything else as a JSON tree.
struct TokenizerJson {
  static constexpr int kMaxDepth = 64;

  struct Slice {
    std::uint32_t begin, size;
  };

  // Either may be null in the file: the score is NaN then, and an entry that is no token is a hole among the ids.
  struct ScoredToken {
    Slice token;
    double score;
    bool is_hole = false;
  };

  nlohmann::json rest;                                // without model.vocab and model.merges
  std::string pool;                                   // the bytes of all slices
  std::vector<std::pair<Slice, std::int64_t>> vocab;  // in the file's order
  std::vector<std::pair<Slice, Slice>> merges;        // in the file's order, which is their rank
  std::vector<ScoredToken> scored;                    // a vocab that is a list of tokens with scores, by id
  bool has_vocab = false, has_merges = false, has_scored = false;

  std::string_view text(Slice slice) const { return {pool.data() + slice.begin, slice.size}; }
};

// Reads the text of a tokenizer.json; `origin` is its path, for messages. Throws model_error for text that is not
// JSON, nests deeper than kMaxDepth or has a vocab or merges of the wrong form. Constant stack.
TokenizerJson parse_tokenizer_json(std::string_view json, const std::string& origin);

// A small JSON document (a config) with the same bound on its depth. Throws model_error.
nlohmann::ordered_json parse_bounded_json(std::string_view json, const std::string& origin);

}  // namespace strata::text
