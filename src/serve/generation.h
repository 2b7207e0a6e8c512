// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "serve/api_error.h"
#include "serve/logprobs.h"
#include "serve/news.h"
#include "text/continuation.h"

namespace strata::serve {

// One text that is being made. The engine adds to it, another thread takes what is there.
class Generation {
 public:
  struct Settings {
    std::vector<std::int32_t> prompt;  // at least one token
    text::ContinuationOptions continuation;
    std::optional<std::int64_t> top_logprobs;
    bool uses_cache = true;
    bool is_embedding = false;  // the hidden row of the prompt's last token is wanted, and no text
  };

  // `news` rings whenever something comes.
  Generation(Settings settings, std::shared_ptr<News> news) : settings_(std::move(settings)), news_(std::move(news)) {}

  const Settings& settings() const { return settings_; }
  std::chrono::steady_clock::time_point created() const { return created_; }

  // What came since the last one.
  struct Piece {
    std::string text;
    std::vector<TokenLogprobs> logprobs;
    std::vector<float> hidden;           // of an embedding
    std::optional<text::EndOfText> end;  // nothing follows
    std::string stop;                    // the stop string that it ended at
  };
  // Empty: nothing came. Throws ApiError where the engine gave up.
  std::optional<Piece> take();
  News& news() { return *news_; }

  // Nobody wants the rest: the engine drops it at its next step.
  void cancel() { is_cancelled_ = true; }
  bool is_cancelled() const { return is_cancelled_; }

  // Valid when the end was taken.
  std::int64_t prompt_tokens() const { return static_cast<std::int64_t>(settings_.prompt.size()); }
  std::int64_t reused_tokens() const { return reused_; }  // of the prompt, that were in a cache
  std::int64_t made_tokens() const { return made_; }

  // The engine's side.
  void add(std::string text, std::optional<TokenLogprobs> logprobs);
  void set_reused(std::int64_t tokens) { reused_ = tokens; }
  void finish_embedding(std::span<const float> hidden);
  void finish(text::EndOfText end, std::string rest, std::int64_t made, const std::string& stop);
  void fail(ApiError error);

 private:
  const Settings settings_;
  const std::chrono::steady_clock::time_point created_ = std::chrono::steady_clock::now();
  std::atomic<bool> is_cancelled_ = false;
  const std::shared_ptr<News> news_;
  std::mutex mutex_;  // of what follows
  Piece pending_;
  bool has_pending_ = false;
  std::optional<ApiError> error_;
  std::atomic<std::int64_t> reused_ = 0, made_ = 0;
};

}  // namespace strata::serve
