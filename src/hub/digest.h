// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace strata::hub {

// A digest of bytes that come in parts.
class Digest {
 public:
  enum class Kind { kSha1, kSha256 };
  explicit Digest(Kind kind);
  Digest(Digest&&) noexcept;
  ~Digest();

  void add(std::string_view bytes);
  std::string hex();  // of all; nothing may be added then

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace strata::hub
