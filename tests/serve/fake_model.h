// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <iterator>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "serve/sequence_model.h"
#include "text/text_model.h"

namespace strata::serve {

using Tokens = std::vector<std::int32_t>;

// The demo model's chat template, with tools at its beginning.
inline constexpr const char* kTemplate =
    R"({%- if tools %}{{- '<|im_start|>system\n' + tools | tojson + '<|im_end|>\n' }}{%- endif %})"
    R"({%- for message in messages %}{{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }})"
    R"({%- endfor %}{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{%- endif %})";

// The demo model's tokenizer and end tokens.
inline text::TextModel demo_text_with_template(const std::string& chat_template) {
  const auto read = [](const std::string& name) {
    std::ifstream in(STRATA_SOURCE_DIR "/models/demo/" + name, std::ios::binary);
    EXPECT_TRUE(in.good()) << name;
    return std::string(std::istreambuf_iterator<char>(in), {});
  };
  text::TextFiles files;
  files.tokenizer = read("tokenizer.json");
  files.tokenizer_config = read("tokenizer_config.json");
  files.generation_config = read("generation_config.json");
  files.chat_template = chat_template;
  return text::load_text_model(files, "/secret/demo");
}

inline const text::TextModel& demo_text() {
  static const text::TextModel model = demo_text_with_template(kTemplate);
  return model;
}

inline constexpr std::int32_t kEnd = 2047;  // <|im_end|>

// A token that all tokens before decide about, and that has a text of its own.
inline std::int32_t mixed(std::span<const std::int32_t> tokens) {
  std::uint32_t hash = 17;
  for (const std::int32_t token : tokens) hash = hash * 31 + static_cast<std::uint32_t>(token);
  return static_cast<std::int32_t>(300 + hash % 1000);
}

// Sequences of tokens, and a function of them for the likeliest next one.
class FakeModel : public SequenceModel {
 public:
  struct Fed {
    int sequence;
    std::size_t tokens;
  };
  using Step = std::vector<Fed>;

  FakeModel(int sequences, std::int64_t context) : context_(context), held_(static_cast<std::size_t>(sequences)) {}

  std::function<std::int32_t(std::span<const std::int32_t>)> next = mixed;
  std::function<void(std::span<const Feed>)> before_step;  // on the engine's thread

  std::int64_t vocabulary() const override { return 2048; }
  std::int64_t context() const override { return context_; }
  int sequences() const override { return static_cast<int>(held_.size()); }
  std::int64_t chunk() const override { return 128; }

  void step(std::span<const Feed> feeds, const TakeLogits& take) override {
    if (before_step) before_step(feeds);
    record(feeds);
    for (std::size_t i = 0; i < feeds.size(); ++i) {
      Tokens& held = held_[static_cast<std::size_t>(feeds[i].sequence)];
      held.insert(held.end(), feeds[i].tokens.begin(), feeds[i].tokens.end());
      EXPECT_LE(std::ssize(held), context_);
      if (!feeds[i].wants_logits) continue;
      std::vector<float> logits(2048, 0);
      const std::int32_t token = next(held);
      if (token >= 0) logits[static_cast<std::size_t>(token)] = 10;
      if (token < 0) logits.assign(logits.size(), std::numeric_limits<float>::quiet_NaN());
      hidden_ = {static_cast<float>(held.size()), static_cast<float>(held.back()), -2};
      take(i, logits);
    }
  }

  std::span<const float> hidden() const override { return hidden_; }

  // The one that holds most of the tokens, of several such the first.
  Begun begin(std::span<const int> ended, std::span<const std::int32_t> tokens) override {
    const auto same = [&](int sequence) {
      return std::ranges::mismatch(of(sequence), tokens).in1 - of(sequence).begin();
    };
    const int best = *std::ranges::max_element(ended, {}, same);
    of(best).resize(static_cast<std::size_t>(same(best)));
    offered_.assign(ended.begin(), ended.end());
    return {best, std::ssize(of(best))};
  }

  void end(int sequence, bool is_right) override {
    if (!is_right) of(sequence).clear();
  }

  // The sequences of which the last text got one.
  const std::vector<int>& offered() const { return offered_; }

  std::vector<Step> steps() const {
    const std::lock_guard lock(mutex_);
    return steps_;
  }

 private:
  void record(std::span<const Feed> feeds) {
    Step step;
    for (const Feed& feed : feeds) step.push_back({feed.sequence, feed.tokens.size()});
    const std::lock_guard lock(mutex_);
    steps_.push_back(std::move(step));
  }

  std::int64_t context_;
  Tokens& of(int sequence) { return held_[static_cast<std::size_t>(sequence)]; }

  std::vector<Tokens> held_;
  std::vector<int> offered_;
  std::vector<float> hidden_;
  mutable std::mutex mutex_;
  std::vector<Step> steps_;
};

}  // namespace strata::serve
