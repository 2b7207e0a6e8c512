// SPDX-License-Identifier: Apache-2.0
// A grammar in GBNF: it compiles or is refused, and the mask of a few tokens is that of trying each of them.
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "grammar/gbnf.h"
#include "grammar/matcher.h"
#include "grammar/token_bytes.h"

namespace {

using namespace strata::grammar;

const std::vector<std::string>& vocabulary() {
  static const std::vector<std::string> tokens = {"a", "b",  "ab",   "{",    "{\"", "\"",   "\":", "}",
                                                  "1", "-1", "\xC3", "\xA9", " ",   "\n\n", "x",   "true"};
  return tokens;
}

void walk(const std::shared_ptr<const CompiledGrammar>& grammar, std::size_t seed) {
  static const TokenBytes tokens(vocabulary());
  Matcher matcher(grammar);
  for (int step = 0; step < 8; ++step) {
    const TokenMask mask = matcher.mask(tokens);
    std::vector<std::size_t> allowed;
    for (std::size_t token = 0; token < vocabulary().size(); ++token) {
      Matcher copy = matcher;
      if (copy.advance(vocabulary()[token]) != mask.has(token)) std::abort();
      if (mask.has(token)) allowed.push_back(token);
    }
    if (allowed.empty()) return;
    seed = seed * 6364136223846793005U + 1442695040888963407U;
    if (!matcher.advance(vocabulary()[allowed[(seed >> 33) % allowed.size()]])) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    walk(std::make_shared<CompiledGrammar>(parse_gbnf(text)), size);
  } catch (const strata::Error& error) {
    if (error.code() != strata::ExitCode::kUsage) std::abort();
  }
  return 0;
}
