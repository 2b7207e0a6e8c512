// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "serve/answer_format.h"
#include "serve/generation.h"
#include "serve/http.h"

namespace strata::serve {

// The texts of one request, while they are made. When it goes, so do those that aren't done.
class Answer {
 public:
  // `prompts`: of how many prompts they are, the same number of choices of each.
  Answer(std::vector<std::shared_ptr<Generation>> generations, std::size_t prompts,
         std::unique_ptr<AnswerFormat> format, std::function<bool()> is_connected);
  ~Answer();
  Answer(Answer&& other) noexcept = default;
  Answer& operator=(Answer&&) = delete;

  // Waits for events; empty: that was the last one, or the client is gone. Throws ApiError.
  std::string next();

  // The event of an error after the first event.
  std::string error_event(const ApiError& error) const { return format_->error(error); }

  // Waits for all; nothing where the client is gone. Throws ApiError.
  std::optional<Json> whole();

 private:
  std::string take_some();
  Usage usage() const;

  std::vector<std::shared_ptr<Generation>> generations_;
  std::vector<bool> is_done_;
  std::size_t left_;  // that are not done
  std::size_t prompts_;
  std::unique_ptr<AnswerFormat> format_;
  std::function<bool()> is_connected_;
  bool has_begun_ = false, has_ended_ = false;
};

// Waits for embeddings, in their order; nothing where the client is gone. Throws ApiError.
std::optional<std::vector<std::vector<float>>> hidden_rows(std::vector<std::shared_ptr<Generation>> generations,
                                                           const std::function<bool()>& is_connected);

// For the metrics: nobody reads it.
HttpResponse client_has_gone();

// The answer as a response: whole, or as a stream of events. An error after the first event is an event too.
HttpResponse respond(Answer answer, bool streams);

}  // namespace strata::serve
