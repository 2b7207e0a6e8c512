// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

namespace strata::grammar {

// What a grammar may ask for at most. Numbers of work, not of time: the same grammar is taken or refused everywhere.
inline constexpr std::size_t kMaxTextBytes = std::size_t{1} << 20;  // of a grammar, a schema or a pattern
inline constexpr int kMaxDepth = 64;                                // of parentheses
inline constexpr std::size_t kMaxRules = 1 << 14;
inline constexpr std::uint32_t kMaxRepeats = 1 << 14;   // {m,n}
inline constexpr std::size_t kMaxStates = 1 << 18;      // of all rules, repetitions written out
inline constexpr std::size_t kMaxSchemaWork = 1 << 20;  // JSON values of a schema that are looked at or copied
inline constexpr std::size_t kMaxNameBytes = 256;       // of a property, beside others that aren't named
inline constexpr std::size_t kMaxItems = 1 << 12;       // places in the grammar where a text may be, at once
inline constexpr std::size_t kMaxMaskWork = 1 << 24;    // items that are looked at for one mask, or one token
inline constexpr std::size_t kMaxTokenBytes = 1 << 10;  // longer tokens no grammar allows
// Of what is remembered of a grammar: beyond the first all is forgotten but the place where a text is, beyond the
// second the text ends with an error.
inline constexpr std::size_t kMaxKeptBytes = std::size_t{16} << 20;
inline constexpr std::size_t kMaxBytes = std::size_t{64} << 20;

}  // namespace strata::grammar
