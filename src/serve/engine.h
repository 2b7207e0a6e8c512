// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "serve/chunk_sizer.h"
#include "serve/generation.h"
#include "serve/metrics.h"
#include "serve/sequence_model.h"
#include "text/text_model.h"

namespace strata::serve {

// Makes texts on the sequences of a model, as many at once as there are sequences; others wait in a queue, first come
// first served. A thread of its own takes steps: each gives every text that is being made its next token, and one
// prompt that is being read a chunk, in turns. A sequence keeps what it has computed when its text ends: a prompt that
// begins with the same tokens goes on from there.
class Engine {
 public:
  // `queue`: texts that may wait. Model, text and metrics must outlive the engine.
  Engine(SequenceModel& model, const text::TextModel& text, std::size_t queue, Metrics& metrics);
  // Ends what is not done.
  ~Engine();

  // All of them, which share their news, or none: throws ApiError when the queue is full, a prompt is longer than the
  // context, or the engine is being drained.
  std::vector<std::shared_ptr<Generation>> submit(std::vector<Generation::Settings> settings);

  // Takes no more, waits until all is done, no longer than `time`, and ends the rest with an error.
  void drain(std::chrono::milliseconds time);

  struct Load {
    std::size_t running = 0, waiting = 0;
  };
  Load load() const;

  // Throws ApiError for a prompt that the context doesn't hold, or that is empty.
  void check_length(std::size_t tokens) const;

  std::int64_t context() const { return model_.context(); }
  std::int64_t vocabulary() const { return model_.vocabulary(); }
  int slots() const { return model_.sequences(); }

 private:
  // A sequence of the model with the text that is made on it.
  struct Slot {
    int sequence = 0;
    std::shared_ptr<Generation> generation;  // null: free
    std::optional<text::Continuation> continuation;
    std::int64_t held = 0;   // tokens that the sequence holds
    std::int32_t next = -1;  // the token that was chosen last; -1: the prompt is being read
    std::uint64_t last_used = 0;
    std::chrono::steady_clock::time_point last_token;

    bool is_free() const { return generation == nullptr; }
    bool is_decoding() const { return !is_free() && next >= 0; }
    bool is_reading() const { return !is_free() && next < 0; }
  };

  // The feeds of a step, and whose they are.
  struct Step {
    std::vector<Feed> feeds;
    std::vector<Slot*> slots;
    std::int64_t decoding = 0, reading = 0;  // tokens
  };

  void run();
  void admit();
  void begin(std::shared_ptr<Generation> generation);
  std::vector<int> ended() const;
  void drop_cancelled();
  Step plan_step();
  Slot* next_reader();
  void take_step();
  void fed(Slot& slot, const Feed& feed);
  void choose_token(Slot& slot, std::span<const float> logits);
  void end(Slot& slot, text::EndOfText end);
  void fail(Slot& slot, const ApiError& error, bool is_right = true);
  void free(Slot& slot, bool is_right = true);
  void fail_all(const ApiError& error);

  SequenceModel& model_;
  const text::TextModel& text_;
  const std::size_t queue_;
  Metrics& metrics_;

  // Of the engine's thread alone.
  std::vector<Slot> slots_;
  ChunkSizer chunk_sizer_;
  std::size_t last_reader_ = 0;
  std::uint64_t uses_ = 0;

  mutable std::mutex mutex_;  // of what follows
  std::condition_variable has_work_, is_idle_;
  std::deque<std::shared_ptr<Generation>> waiting_;
  std::size_t running_ = 0;
  bool is_draining_ = false, is_over_ = false;

  std::thread thread_;
};

}  // namespace strata::serve
