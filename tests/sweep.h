// SPDX-License-Identifier: Apache-2.0
// How much of a long sweep a run of the tests takes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdlib>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define STRATA_TESTS_SANITIZED 1
#endif
#endif

namespace strata {

#ifdef STRATA_TESTS_SANITIZED
inline constexpr bool kIsSanitized = true;
#else
inline constexpr bool kIsSanitized = false;
#endif

inline bool is_soak() {
  const char* const value = std::getenv("STRATA_SOAK");
  return value != nullptr && *value != '\0';
}

// The sweep's cases: with STRATA_SOAK set all of them, in a sanitizer's build a twentieth of the usual ones. What is
// wrong with the numbers the release build finds; a sanitizer looks for what any case of a kind shows.
inline std::size_t sweep_size(std::size_t usual, std::size_t all) {
  if (is_soak()) return all;
  return kIsSanitized ? std::max<std::size_t>(usual / 20, 1) : usual;
}

// Of cases in a row that a sanitizer sees alike: each fifth.
inline bool is_in_sample(std::size_t number) { return is_soak() || !kIsSanitized || number % 5 == 0; }

}  // namespace strata
