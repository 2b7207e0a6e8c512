// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace strata::serve {

// What a client may ask for at most, and how long it may take.
inline constexpr std::size_t kMaxBodyBytes = std::size_t{16} << 20;
inline constexpr std::size_t kMaxHeldBytes = std::size_t{64} << 20;  // of all bodies that came and aren't answered
inline constexpr std::size_t kMaxReadBytes = kMaxBodyBytes;  // of bodies that are parsed at once, some times as large
inline constexpr std::size_t kMaxHeaderBytes = std::size_t{32} << 10;
inline constexpr std::size_t kMaxHeaderLineBytes = std::size_t{8} << 10;  // what httplib reads
inline constexpr int kMaxJsonDepth = 64;
inline constexpr std::size_t kMaxJsonKeys = 1024;       // of one object, whose look-ups are linear
inline constexpr std::size_t kMaxJsonValues = 1 << 18;  // of a body, each of which takes more memory than text
inline constexpr std::size_t kMaxMessages = 4096;
inline constexpr std::size_t kMaxTools = 256;
inline constexpr std::size_t kMaxStops = 16;
inline constexpr std::size_t kMaxStopBytes = 512;
inline constexpr std::size_t kMaxBiases = 1024;
inline constexpr std::size_t kMaxPrompts = 64;       // of one completion
inline constexpr std::size_t kMaxInputs = 2048;      // of a request for embeddings
inline constexpr std::int64_t kMaxChoices = 16;      // n
inline constexpr std::int64_t kMaxTopLogprobs = 20;  // OpenAI's
inline constexpr std::size_t kMaxGrammars = 16;      // that are kept compiled, beside those of texts being made
inline constexpr std::size_t kMaxConnections = 2048;

inline constexpr std::chrono::seconds kHeaderTime{10};  // for a request's header, from its first byte
inline constexpr std::chrono::seconds kBodyTime{60};    // for its body
inline constexpr std::chrono::seconds kWriteTime{30};   // without a byte being taken
inline constexpr std::chrono::seconds kIdleTime{30};    // of a connection without a request

}  // namespace strata::serve
