// SPDX-License-Identifier: Apache-2.0
#include "base/hash.h"

#include <xxhash.h>

#include <new>

namespace strata {
namespace {

Hash128 from_xxh(XXH128_hash_t hash) { return {.high = hash.high64, .low = hash.low64}; }

}  // namespace

std::string hex(std::uint64_t value) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text(16, '0');
  for (std::size_t i = 16; i-- > 0; value >>= 4) text[i] = kDigits[value & 15];
  return text;
}

std::uint64_t hash64(std::span<const std::byte> bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }
std::uint64_t hash64(std::string_view text) { return hash64(std::as_bytes(std::span(text))); }
Hash128 hash128(std::span<const std::byte> bytes) { return from_xxh(XXH3_128bits(bytes.data(), bytes.size())); }
Hash128 hash128(std::string_view text) { return hash128(std::as_bytes(std::span(text))); }

void Hasher::Deleter::operator()(XXH3_state_s* state) const { XXH3_freeState(state); }

Hasher::Hasher() : state_(XXH3_createState()) {
  if (!state_) throw std::bad_alloc();
  // The reset of the 64-bit and of the 128-bit form is the same one, and so is the update.
  XXH3_128bits_reset(state_.get());
}

Hasher::~Hasher() = default;
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;

Hasher& Hasher::bytes(std::span<const std::byte> bytes) {
  if (!bytes.empty()) XXH3_128bits_update(state_.get(), bytes.data(), bytes.size());
  return *this;
}

Hasher& Hasher::field(std::string_view text) {
  field(std::uint64_t{text.size()});
  return bytes(std::as_bytes(std::span(text)));
}

Hasher& Hasher::field(std::uint64_t value) { return bytes(std::as_bytes(std::span(&value, 1))); }

std::uint64_t Hasher::digest64() const { return XXH3_64bits_digest(state_.get()); }
Hash128 Hasher::digest128() const { return from_xxh(XXH3_128bits_digest(state_.get())); }

}  // namespace strata
