// SPDX-License-Identifier: Apache-2.0
#include "text/tokenizer_json.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "base/error.h"
#include "text/score_text.h"

namespace strata::text {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxFileBytes = std::size_t{1} << 30;

// Receives nlohmann's parse events. The lists that make up nearly all of the file go straight into the result;
// building a tree of their 300,000 nodes would cost several times the parsing itself.
class TokenizerJsonReader : public nlohmann::json_sax<json> {
 public:
  TokenizerJsonReader(TokenizerJson& result, const std::string& origin) : result_(result), origin_(origin) {}

  bool null() override {
    if (list_ == List::kScored) return score(kNoScore);
    return value(json());
  }
  bool boolean(bool v) override { return value(v); }
  bool number_integer(number_integer_t v) override { return number(v, v); }
  bool number_unsigned(number_unsigned_t v) override {
    constexpr number_unsigned_t kMax = std::numeric_limits<std::int64_t>::max();
    return number(v, static_cast<std::int64_t>(std::min(v, kMax)));
  }
  bool number_float(number_float_t v, const string_t& text) override {
    if (list_ == List::kScored) return score(score_of_text(text));
    return value(v);
  }
  bool binary(binary_t&) override { return false; }

  bool string(string_t& v) override {
    if (list_ == List::kMerges) return merge_part(v);
    if (list_ == List::kScored) return scored_token(v);
    return value(std::move(v));
  }

  bool start_object(std::size_t) override { return open(json::object()); }
  bool start_array(std::size_t) override { return open(json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(string_t& k) override {
    if (list_ == List::kVocab) {
      token_ = store(k);
    } else {
      key_ = std::move(k);
      if (open_.size() == 1) section_ = key_;
    }
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    throw model_error("not valid JSON at byte " + std::to_string(position), origin_, "download the file again");
  }

 private:
  enum class List { kNone, kVocab, kMerges, kScored };
  static constexpr double kNoScore = std::numeric_limits<double>::quiet_NaN();

  [[noreturn]] void fail(const std::string& what) const {
    throw model_error(what, origin_, "use the tokenizer.json that belongs to the model");
  }

  TokenizerJson::Slice store(std::string_view text) {
    const TokenizerJson::Slice slice{static_cast<std::uint32_t>(result_.pool.size()),
                                     static_cast<std::uint32_t>(text.size())};
    result_.pool += text;
    return slice;
  }

  bool number(json tree_value, std::int64_t v) {
    if (list_ == List::kScored) return score(static_cast<double>(v));
    if (list_ != List::kVocab) return value(std::move(tree_value));
    result_.vocab.emplace_back(token_, v);
    return true;
  }

  bool value(json v) {
    if (list_ == List::kVocab) fail("an id in model.vocab is not an integer");
    if (list_ == List::kMerges) fail("an entry of model.merges is not a pair of tokens");
    if (list_ == List::kScored) fail_scored();
    place(std::move(v));
    return true;
  }

  json* place(json v) {
    if (open_.empty()) {
      result_.rest = std::move(v);
      return &result_.rest;
    }
    json& parent = *open_.back();
    if (parent.is_array()) {
      parent.push_back(std::move(v));
      return &parent.back();
    }
    return &(parent[key_] = std::move(v));
  }

  bool is_in_model(const char* name) const { return open_.size() == 2 && section_ == "model" && key_ == name; }

  bool open(json container) {
    if (++depth_ > TokenizerJson::kMaxDepth) fail("JSON is nested too deeply");
    if (list_ == List::kVocab) fail("an id in model.vocab is not an integer");
    if (list_ == List::kMerges) return open_merge_pair(container);
    if (list_ == List::kScored) return open_scored(container);
    if (container.is_array() && is_in_model("vocab")) {
      begin_list(List::kScored, result_.has_scored);
    } else if (container.is_object() && is_in_model("vocab")) {
      begin_list(List::kVocab, result_.has_vocab);
    } else if (container.is_array() && is_in_model("merges")) {
      begin_list(List::kMerges, result_.has_merges);
    } else {
      open_.push_back(place(std::move(container)));
    }
    return true;
  }

  void begin_list(List list, bool& seen) {
    if (seen) fail("the model has two lists of one name");
    seen = true;
    list_ = list;
    list_depth_ = depth_;
  }

  bool open_merge_pair(const json& container) {
    if (depth_ != list_depth_ + 1 || !container.is_array()) fail("an entry of model.merges is not a pair of tokens");
    pair_parts_ = 0;
    return true;
  }

  // An entry is ["token", score]; null leaves an id without a token.
  bool open_scored(const json& container) {
    if (depth_ != list_depth_ + 1 || !container.is_array()) fail_scored();
    pair_parts_ = 0;
    return true;
  }

  bool scored_token(const std::string& text) {
    if (depth_ != list_depth_ + 1 || pair_parts_++ != 0) fail_scored();
    token_ = store(text);
    return true;
  }

  bool score(double v) {
    if (depth_ == list_depth_) {
      if (!std::isnan(v)) fail_scored();
      result_.scored.push_back({{0, 0}, kNoScore, true});
      return true;
    }
    if (pair_parts_++ != 1) fail_scored();
    result_.scored.push_back({token_, v});
    return true;
  }

  [[noreturn]] void fail_scored() const { fail("an entry of model.vocab is not a token with its score"); }

  // A merge is "left right", or ["left", "right"] in files whose tokens may hold spaces.
  bool merge_part(const std::string& text) {
    if (depth_ == list_depth_ + 1) {
      if (++pair_parts_ > 2) fail("an entry of model.merges is not a pair of tokens");
      (pair_parts_ == 1 ? left_ : right_) = store(text);
      return true;
    }
    const std::size_t space = text.find(' ');
    if (space == std::string::npos || text.find(' ', space + 1) != std::string::npos) {
      fail("merge \"" + text.substr(0, 80) + "\" is not two tokens with a space between them");
    }
    left_ = store(std::string_view(text).substr(0, space));
    right_ = store(std::string_view(text).substr(space + 1));
    result_.merges.emplace_back(left_, right_);
    return true;
  }

  bool close() {
    if (list_ != List::kNone) {
      if (depth_ == list_depth_) {
        list_ = List::kNone;
      } else if (list_ == List::kScored) {
        if (pair_parts_ != 2) fail_scored();
      } else {
        if (pair_parts_ != 2) fail("an entry of model.merges is not a pair of tokens");
        result_.merges.emplace_back(left_, right_);
      }
    } else {
      open_.pop_back();
    }
    --depth_;
    return true;
  }

  TokenizerJson& result_;
  const std::string& origin_;
  std::vector<json*> open_;  // the containers of the tree from the root to here; a parent never grows while it is open
  std::string section_, key_;
  int depth_ = 0;
  List list_ = List::kNone;
  int list_depth_ = 0;
  TokenizerJson::Slice token_{}, left_{}, right_{};
  int pair_parts_ = 0;
};

}  // namespace

TokenizerJson parse_tokenizer_json(std::string_view text, const std::string& origin) {
  if (text.size() > kMaxFileBytes) throw model_error("the file is larger than 1 GiB", origin, "check the path");
  TokenizerJson result;
  result.pool.reserve(text.size() / 3);
  TokenizerJsonReader reader(result, origin);
  json::sax_parse(text.begin(), text.end(), &reader);
  return result;
}

nlohmann::ordered_json parse_bounded_json(std::string_view text, const std::string& origin) {
  const auto check_depth = [&](int depth, json::parse_event_t, const nlohmann::ordered_json&) {
    if (depth > TokenizerJson::kMaxDepth) throw model_error("JSON is nested too deeply", origin, "check the file");
    return true;
  };
  try {
    return nlohmann::ordered_json::parse(text.begin(), text.end(), check_depth);
  } catch (const json::parse_error& error) {
    throw model_error("not valid JSON at byte " + std::to_string(error.byte), origin, "download the file again");
  }
}

}  // namespace strata::text
