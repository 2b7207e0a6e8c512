// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "runtime/session.h"
#include "serve/sequence_model.h"

namespace strata::serve {

// The sequences of a session.
class SessionModel : public SequenceModel {
 public:
  // The session, which must outlive this, was opened for so many sequences.
  SessionModel(runtime::Session& session, int sequences) : session_(session), sequences_(sequences) {}

  std::int64_t vocabulary() const override { return session_.manifest().vocab_size; }
  std::int64_t context() const override { return session_.context(); }
  int sequences() const override { return sequences_; }
  std::int64_t chunk() const override { return session_.chunk(); }

  void step(std::span<const Feed> feeds, const TakeLogits& take) override;
  std::span<const float> hidden() const override { return session_.hidden(); }
  Begun begin(std::span<const int> ended, std::span<const std::int32_t> tokens) override;
  void end(int sequence, bool is_right) override;

 private:
  runtime::Session& session_;
  int sequences_;
  std::vector<runtime::Session::Feed> fed_;  // of a step
};

}  // namespace strata::serve
