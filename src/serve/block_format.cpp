// SPDX-License-Identifier: Apache-2.0
#include "serve/block_format.h"

#include <algorithm>
#include <utility>

namespace strata::serve {

bool BlockFormat::has_calls() const {
  return std::ranges::any_of(blocks_, [](const Block& block) { return block.kind == AnswerPart::Kind::kToolCall; });
}

std::string BlockFormat::close() {
  return std::exchange(is_open_, false) ? closed(blocks_.back(), blocks_.size() - 1) : "";
}

std::string BlockFormat::take(const AnswerPart& part) {
  std::string events;
  const bool goes_on = is_open_ && blocks_.back().kind == part.kind && part.kind != AnswerPart::Kind::kToolCall;
  if (!goes_on) {
    events = close();
    blocks_.push_back({part.kind, random_id(id_prefix(part.kind)), "", part.name});
    is_open_ = true;
    events += opened(blocks_.back(), blocks_.size() - 1);
  }
  blocks_.back().text += part.text;
  return events + grown(blocks_.back(), blocks_.size() - 1, part.text);
}

std::string BlockFormat::add(std::size_t, const Generation::Piece& piece) {
  std::string events;
  for (const AnswerPart& part : parser_.push(piece.text)) events += take(part);
  if (!piece.end) return events;
  for (const AnswerPart& part : parser_.finish()) events += take(part);
  end_ = *piece.end;
  stop_ = piece.stop;
  return events + close();
}

}  // namespace strata::serve
