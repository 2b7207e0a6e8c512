// SPDX-License-Identifier: Apache-2.0
#include "serve/answer.h"

#include <utility>

namespace strata::serve {
namespace {

// How long a text is waited for before the client is looked at.
constexpr std::chrono::milliseconds kLook{20};

class AnswerStream : public BodyStream {
 public:
  explicit AnswerStream(Answer answer) : answer_(std::move(answer)) {}

  std::string next() override {
    if (has_failed_) return "";
    try {
      return answer_.next();
    } catch (const ApiError& error) {
      has_failed_ = true;
      return answer_.error_event(error);
    }
  }

 private:
  Answer answer_;
  bool has_failed_ = false;
};

}  // namespace

Answer::Answer(std::vector<std::shared_ptr<Generation>> generations, std::size_t prompts,
               std::unique_ptr<AnswerFormat> format, std::function<bool()> is_connected)
    : generations_(std::move(generations)),
      is_done_(generations_.size(), false),
      left_(generations_.size()),
      prompts_(prompts),
      format_(std::move(format)),
      is_connected_(std::move(is_connected)) {}

Answer::~Answer() {
  for (const std::shared_ptr<Generation>& generation : generations_) generation->cancel();
}

std::string Answer::take_some() {
  News& news = generations_.front()->news();
  const std::uint64_t seen = news.count();
  bool has_some = false;
  std::string events;
  for (std::size_t i = 0; i < generations_.size(); ++i) {
    if (is_done_[i]) continue;
    const auto piece = generations_[i]->take();
    if (!piece) continue;
    has_some = true;
    events += format_->add(i, *piece);
    if (!piece->end) continue;
    is_done_[i] = true;
    --left_;
  }
  if (!has_some) news.wait(seen, kLook);
  return events;
}

std::string Answer::next() {
  if (!std::exchange(has_begun_, true)) {
    if (std::string events = format_->begin(); !events.empty()) return events;
  }
  while (left_ > 0) {
    if (std::string events = take_some(); !events.empty()) return events;
    if (!is_connected_()) return "";
  }
  return std::exchange(has_ended_, true) ? "" : format_->end(usage());
}

std::optional<Json> Answer::whole() {
  format_->begin();
  while (left_ > 0) {
    take_some();
    if (!is_connected_()) return std::nullopt;
  }
  return format_->whole(usage());
}

Usage Answer::usage() const {
  Usage usage;
  const std::size_t choices = generations_.size() / prompts_;
  for (std::size_t i = 0; i < generations_.size(); ++i) {
    usage.made += generations_[i]->made_tokens();
    if (i % choices != 0) continue;
    usage.prompt += generations_[i]->prompt_tokens();
    usage.reused += generations_[i]->reused_tokens();
  }
  return usage;
}

std::optional<std::vector<std::vector<float>>> hidden_rows(std::vector<std::shared_ptr<Generation>> generations,
                                                           const std::function<bool()>& is_connected) {
  std::vector<std::vector<float>> rows;
  for (const std::shared_ptr<Generation>& generation : generations) {
    while (true) {
      const std::uint64_t seen = generation->news().count();
      if (std::optional<Generation::Piece> piece = generation->take(); piece) {
        rows.push_back(std::move(piece->hidden));
        break;
      }
      generation->news().wait(seen, kLook);
      if (is_connected()) continue;
      for (const std::shared_ptr<Generation>& one : generations) one->cancel();
      return std::nullopt;
    }
  }
  return rows;
}

HttpResponse client_has_gone() {
  HttpResponse response;
  response.status = 499;
  return response;
}

HttpResponse respond(Answer answer, bool streams) {
  HttpResponse response;
  if (streams) {
    response.content_type = "text/event-stream";
    response.headers.emplace_back("Cache-Control", "no-cache");
    response.stream = std::make_unique<AnswerStream>(std::move(answer));
  } else if (const std::optional<Json> whole = answer.whole(); whole) {
    response.body = to_text(*whole);
  } else {
    return client_has_gone();
  }
  return response;
}

}  // namespace strata::serve
