// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

struct XXH3_state_s;

namespace strata {

// Sixteen lower-case hexadecimal digits.
std::string hex(std::uint64_t value);

struct Hash128 {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  std::string hex() const { return strata::hex(high) + strata::hex(low); }
  bool operator==(const Hash128&) const = default;
};

// XXH3: for damage and for cache keys among friends; it withstands no attacker.
std::uint64_t hash64(std::span<const std::byte> bytes);
std::uint64_t hash64(std::string_view text);
Hash128 hash128(std::span<const std::byte> bytes);
Hash128 hash128(std::string_view text);

// The same functions over data that comes in pieces.
class Hasher {
 public:
  Hasher();
  ~Hasher();
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;

  // Bytes as they are: the digest doesn't depend on how they were cut.
  Hasher& bytes(std::span<const std::byte> bytes);
  // One field of a key, its length included: ("a", "bc") and ("ab", "c") differ.
  Hasher& field(std::string_view text);
  Hasher& field(std::uint64_t value);

  std::uint64_t digest64() const;
  Hash128 digest128() const;

 private:
  struct Deleter {
    void operator()(XXH3_state_s* state) const;
  };
  std::unique_ptr<XXH3_state_s, Deleter> state_;
};

}  // namespace strata
