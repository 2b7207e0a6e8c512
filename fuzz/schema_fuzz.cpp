// SPDX-License-Identifier: Apache-2.0
// A JSON schema: it compiles or is refused, and what its masks allow is JSON when it ends.
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json_builder.h"
#include "grammar/matcher.h"
#include "grammar/schema.h"
#include "grammar/token_bytes.h"

namespace {

using namespace strata::grammar;

constexpr int kTokens = 40;

const std::vector<std::string>& vocabulary() {
  static const std::vector<std::string> tokens = [] {
    std::vector<std::string> out = {"{\"", "\":", "\",", "}}", "[[", "],", "true", "null", "10", "\\u00", "\n  ", "é"};
    for (int byte = 0; byte < 256; ++byte) out.push_back(std::string(1, static_cast<char>(byte)));
    return out;
  }();
  return tokens;
}

void walk(const std::shared_ptr<const CompiledGrammar>& grammar, std::size_t seed) {
  static const TokenBytes tokens(vocabulary());
  Matcher matcher(grammar);
  std::string text;
  for (int step = 0; step < kTokens; ++step) {
    if (matcher.accepts() && !Json::accept(text)) std::abort();
    const TokenMask mask = matcher.mask(tokens);
    std::vector<std::size_t> allowed;
    for (std::size_t token = 0; token < vocabulary().size(); ++token) {
      if (mask.has(token)) allowed.push_back(token);
    }
    if (allowed.empty()) {
      if (!matcher.accepts()) std::abort();
      return;
    }
    seed = seed * 6364136223846793005U + 1442695040888963407U;
    text += vocabulary()[allowed[(seed >> 33) % allowed.size()]];
    if (!matcher.advance(vocabulary()[allowed[(seed >> 33) % allowed.size()]])) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  strata::JsonBuilder<Json> builder({.max_depth = 64, .max_keys = 1024, .max_values = 1 << 18});
  if (!builder.parse({reinterpret_cast<const char*>(data), size})) return 0;
  try {
    walk(std::make_shared<CompiledGrammar>(schema_grammar(builder.take())), size);
  } catch (const strata::Error& error) {
    if (error.code() != strata::ExitCode::kUsage) std::abort();
  }
  return 0;
}
