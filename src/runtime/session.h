// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "package/manifest.h"
#include "ranks/communicator.h"
#include "runtime/orders.h"
#include "runtime/profile.h"

namespace strata::runtime {

struct SessionOptions {
  int threads = 0;  // the most that work, and no more than the affinity mask and the cgroup's quota allow; 0: those
  std::int64_t context = 0;  // tokens that the key/value cache holds; 0: the model's own limit, at most 4096
  bool verify = false;       // check the weights' checksum also when that was done before
  bool fixed_team = false;   // every step takes exactly `threads`, whatever is allowed and however busy the machine is
  int sequences = 1;         // each with a key/value cache of its own, of `context` tokens
  std::int64_t pool = 0;     // tokens that the caches of all sequences hold, where these share pages; 0: all of them
  ranks::Communicator* ranks = nullptr;  // that run the package together, each its own; it outlives the session
  int id = 0;                            // of the session among those of `ranks`
};

// Sequences on one loaded package: the mapped weights, a thread team, key/value caches, an arena. Of several sequences
// one is selected, which all else is about.
// After open() nothing is allocated by feeding tokens. Not thread-safe: one caller at a time.
class Session {
 public:
  // Throws model_error (not a package, damaged, made for a machine with features that this one lacks - by name) and
  // resource_error (not enough memory for the context).
  static std::unique_ptr<Session> open(const std::filesystem::path& package, const SessionOptions& options);
  ~Session();

  const package::Manifest& manifest() const;
  std::int64_t context() const;   // capacity in tokens
  std::int64_t position() const;  // tokens in the cache
  std::int64_t chunk() const;     // the most tokens that are computed at once
  int threads() const;            // the most that work on a step

  // The bytes of a text section such as "tokenizer.json"; empty when the package has none.
  std::string_view section(std::string_view name) const;

  // At first the sequence 0 is selected. Requires 0 <= sequence < SessionOptions::sequences.
  void select(int sequence);

  // A sequence that begins anew, and how many of its tokens it holds.
  struct Begun {
    int sequence = 0;
    std::int64_t held = 0;
  };

  // One of these sequences, which are ended, is to begin with these tokens: the one that
  // holds most of them, unless that would end what somebody else will go on with. Sequences that share pages hold what
  // any of them did. The sequence is selected.
  Begun begin(std::span<const int> ended, std::span<const std::int32_t> tokens);

  // The sequence is not fed before it begins anew. What it holds is kept for that while there is room.
  void end(int sequence);

  // Appends tokens to the sequence, in chunks as large as the package's code takes. Returns the last token's logits,
  // f32[vocab], valid until the next call. Throws usage_error for an id outside of the vocabulary or a full context.
  // `progress`, if given, is called with the number of tokens done after each chunk.
  // `stop`, if given, is asked between chunks; when it says true, feeding ends early and the result is empty.
  std::span<const float> feed(std::span<const std::int32_t> tokens,
                              const std::function<void(std::int64_t)>& progress = {},
                              const std::function<bool()>& stop = {});

  // What the logits of the last feed() were made of: the last token's hidden row behind the last norm,
  // f32[hidden_size]. Valid until the next call.
  std::span<const float> hidden() const;

  // As feed(), but calls `rows` with the logits of consecutive tokens, f32[count, vocab], for every token fed. Without
  // `rows` it only fills the cache: no logits are computed.
  void feed_all(std::span<const std::int32_t> tokens,
                const std::function<void(std::span<const float> rows, std::int64_t count)>& rows);

  // Tokens that go on with a sequence.
  struct Feed {
    int sequence = 0;
    std::span<const std::int32_t> tokens;
    bool wants_logits = false;  // of the last token
  };

  // The index of a feed and its logits, f32[vocab], which are valid during the call, as is hidden().
  using TakeLogits = std::function<void(std::size_t feed, std::span<const float> logits)>;

  // Feeds of several sequences, each at most once; `take` gets the logits that are wanted, each once, in any order. A
  // package for several sequences computes rows of them in one call. Another sequence may be selected then.
  void step(std::span<const Feed> feeds, const TakeLogits& take);

  // Times the ops of what is fed from now on, into `profile`, which the caller keeps; null: no longer.
  void set_profile(Profile* profile);

  // All memory that feeding writes, for those who look for what an op left there. Valid while the session lives.
  std::vector<std::span<const std::byte>> working_memory() const;

  // Does what rank 0's session of this id has told its ranks to do; on all ranks but 0, whose session is used as any
  // other one.
  void obey(const Order& order);

  // Forgets everything from `position` on (0 <= position <= position()).
  void rewind(std::int64_t position);

 private:
  struct State;
  explicit Session(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace strata::runtime
