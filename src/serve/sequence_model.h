// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

namespace strata::serve {

// Tokens that go on with a sequence.
struct Feed {
  int sequence = 0;
  std::span<const std::int32_t> tokens;
  bool wants_logits = false;  // of the last token
};

// What the engine takes steps on: sequences over one model, each with a cache of its own. One caller at a time.
class SequenceModel {
 public:
  // The index of a feed, and its logits, f32[vocabulary], which are valid during the call.
  using TakeLogits = std::function<void(std::size_t feed, std::span<const float> logits)>;

  virtual ~SequenceModel() = default;

  virtual std::int64_t vocabulary() const = 0;
  virtual std::int64_t context() const = 0;  // tokens that a sequence holds
  virtual int sequences() const = 0;
  virtual std::int64_t chunk() const = 0;  // the most tokens of a sequence that are worth feeding in one step

  // Feeds of several sequences, each at most once, in one step. `take` is called for those that want logits, in any
  // order. A sequence's tokens must fit its context. May throw; the sequences that were fed then hold anything.
  virtual void step(std::span<const Feed> feeds, const TakeLogits& take) = 0;

  // Of the feed whose logits are being taken: the hidden row that they were made of, f32[hidden_size].
  virtual std::span<const float> hidden() const = 0;

  // A sequence that begins anew, and how many of its tokens it holds already.
  struct Begun {
    int sequence = 0;
    std::int64_t held = 0;
  };

  // One of these sequences, which are ended, is to begin with these tokens: the model
  // chooses it so that as many of them as possible are held.
  virtual Begun begin(std::span<const int> ended, std::span<const std::int32_t> tokens) = 0;

  // The sequence is not fed before it begins anew. `is_right`: what it holds may serve another one.
  virtual void end(int sequence, bool is_right) = 0;
};

}  // namespace strata::serve
