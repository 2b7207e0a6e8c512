// SPDX-License-Identifier: Apache-2.0
#include "serve/answer_parser.h"

#include <algorithm>
#include <optional>

#include "serve/api_error.h"
#include "serve/request_reader.h"

namespace strata::serve {
namespace {

constexpr std::string_view kThink = "<think>", kThinkEnd = "</think>";
constexpr std::string_view kWhiteSpace = " \t\r\n";

// How much of the text's end may be the beginning of the marker.
std::size_t overlap(std::string_view text, std::string_view marker) {
  for (std::size_t size = std::min(text.size(), marker.size() - 1); size > 0; --size) {
    if (text.ends_with(marker.substr(0, size))) return size;
  }
  return 0;
}

std::size_t without_white_space(std::string_view text, std::size_t size) {
  const std::size_t last = text.substr(0, size).find_last_not_of(kWhiteSpace);
  return last == std::string_view::npos ? 0 : last + 1;
}

std::optional<AnswerPart> parse_call(std::string_view text) {
  try {
    const Json call = parse_body(text);
    const RequestReader reader(call);
    AnswerPart part{AnswerPart::Kind::kToolCall, "{}", reader.text("name")};
    const char* const key = reader.has("arguments") ? "arguments" : "parameters";
    if (const Json* const arguments = reader.find(key); arguments != nullptr) {
      part.text = arguments->is_string() ? arguments->get<std::string>()
                                         : arguments->dump(-1, ' ', false, Json::error_handler_t::replace);
    }
    return part;
  } catch (const ApiError&) {
    return std::nullopt;
  }
}

void add(std::vector<AnswerPart>& parts, AnswerPart::Kind kind, std::string text) {
  if (text.empty()) return;
  if (!parts.empty() && parts.back().kind == kind) {
    parts.back().text += text;
  } else {
    parts.push_back({kind, std::move(text)});
  }
}

}  // namespace

AnswerParser::AnswerParser(const Options& options) : options_(options), state_(State::kContent) {
  skips_white_space_ = options.splits_reasoning;
  if (!options.splits_reasoning) return;
  state_ = options.begins_in_reasoning ? State::kReasoning : State::kBegin;
}

std::vector<AnswerPart> AnswerParser::push(std::string_view text) {
  held_ += text;
  Parts parts;
  while (advance(parts)) {
  }
  return parts;
}

// Whether there may be more to say of what is held.
bool AnswerParser::advance(Parts& parts) {
  switch (state_) {
    case State::kBegin:
      return begin();
    case State::kReasoning:
      return think(parts);
    case State::kContent:
      return say(parts);
    case State::kCall:
      return call(parts);
  }
  return false;
}

// An answer that doesn't begin by thinking keeps the white space that it begins with.
bool AnswerParser::begin() {
  const std::size_t first = std::min(held_.find_first_not_of(kWhiteSpace), held_.size());
  const std::string_view rest = std::string_view(held_).substr(first);
  if (rest.size() < kThink.size() && kThink.starts_with(rest)) return false;
  if (rest.starts_with(kThink)) {
    held_.erase(0, first + kThink.size());
    state_ = State::kReasoning;
  } else {
    skips_white_space_ = false;
    state_ = State::kContent;
  }
  return true;
}

// False: there was nothing else.
bool AnswerParser::skip_white_space() {
  if (!skips_white_space_) return true;
  held_.erase(0, std::min(held_.find_first_not_of(kWhiteSpace), held_.size()));
  skips_white_space_ = held_.empty();
  return !skips_white_space_;
}

// Gives so much of what is held, and keeps the rest.
void AnswerParser::show(Parts& parts, std::size_t size) {
  const auto kind = state_ == State::kReasoning ? AnswerPart::Kind::kReasoning : AnswerPart::Kind::kContent;
  add(parts, kind, held_.substr(0, size));
  has_shown_ |= size > 0 && state_ != State::kReasoning;
  held_.erase(0, size);
}

bool AnswerParser::think(Parts& parts) {
  if (!skip_white_space()) return false;
  const std::size_t end = held_.find(kThinkEnd);
  if (end == std::string::npos) {
    show(parts, without_white_space(held_, held_.size() - overlap(held_, kThinkEnd)));
    return false;
  }
  const std::size_t shown = without_white_space(held_, end);
  show(parts, shown);
  held_.erase(0, end - shown + kThinkEnd.size());
  state_ = State::kContent;
  skips_white_space_ = true;
  return true;
}

bool AnswerParser::say(Parts& parts) {
  if (!skip_white_space()) return false;
  if (options_.tools == nullptr || options_.tools->begin.empty()) {
    if (!is_bare_call()) show(parts, held_.size());
    return false;
  }
  const std::size_t call = held_.find(options_.tools->begin);
  if (call == std::string::npos) {
    show(parts, without_white_space(held_, held_.size() - overlap(held_, options_.tools->begin)));
    return false;
  }
  show(parts, without_white_space(held_, call));
  state_ = State::kCall;
  return true;
}

// Of a format without markers, whether all that was said begins a JSON object.
bool AnswerParser::is_bare_call() const {
  if (options_.tools == nullptr || !options_.tools->begin.empty() || has_shown_) return false;
  const std::size_t first = held_.find_first_not_of(kWhiteSpace);
  return first == std::string::npos || held_[first] == '{';
}

// What is held begins with the marker, and with white space that is dropped if this is a call.
bool AnswerParser::call(Parts& parts) {
  const std::string_view end_marker = options_.tools->end;
  const std::size_t end = held_.find(end_marker);
  if (end == std::string::npos) return false;
  const std::size_t begin = held_.find(options_.tools->begin) + options_.tools->begin.size();
  const std::string_view inside = std::string_view(held_).substr(begin, end - begin);
  const std::optional<AnswerPart> part = parse_call(inside);
  state_ = State::kContent;
  if (part) {
    parts.push_back(*part);
    held_.erase(0, end + end_marker.size());
    skips_white_space_ = true;
  } else {
    show(parts, end + end_marker.size());
  }
  return true;
}

std::vector<AnswerPart> AnswerParser::finish() {
  Parts parts;
  if (state_ == State::kReasoning) {
    show(parts, without_white_space(held_, held_.size()));
    return parts;
  }
  state_ = State::kContent;
  if (is_bare_call()) {
    const std::optional<AnswerPart> part = parse_call(held_);
    const std::vector<std::string>& names = options_.tool_names;
    if (part && std::ranges::find(names, part->name) != names.end()) {
      held_.clear();
      return {*part};
    }
  }
  show(parts, held_.size());
  return parts;
}

}  // namespace strata::serve
