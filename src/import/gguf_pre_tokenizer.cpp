// SPDX-License-Identifier: Apache-2.0
#include "import/gguf_pre_tokenizer.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <ranges>

#include "base/error.h"
#include "base/split_regex.h"
#include "base/words.h"

namespace strata::importer {
namespace {

// DeepSeek LLM's: cased letters, and punctuation of ASCII, full width, quotation marks and East Asia.
constexpr std::string_view kCasedLetters =
    "\\s?["
    "A-Za-z\u00B5\u00C0-\u00D6\u00D8-\u00F6\u00F8-\u01BA\u01BC-\u01BF\u01C4-\u0293\u0295-\u02AF\u0370-\u0373"
    "\u0376\u0377\u037B-\u037D\u037F\u0386\u0388-\u038A\u038C\u038E-\u03A1\u03A3-\u03F5\u03F7-\u0481"
    "\u048A-\u052F\u0531-\u0556\u10A0-\u10C5\u13A0-\u13F5\u13F8-\u13FD\u1C90-\u1CBA\u1CBD-\u1CBF\u1D00-\u1D2B"
    "\u1D6B-\u1D77\u1D79-\u1D9A\u1E00-\u1F15\u1F18-\u1F1D\u1F20-\u1F45\u1F48-\u1F4D\u1F50-\u1F57\u1F59\u1F5B"
    "\u1F5D\u1F5F-\u1F7D\u1F80-\u1FB4\u1FB6-\u1FBC\u1FBE\u1FC2-\u1FC4\u1FC6-\u1FCC\u1FD0-\u1FD3\u1FD6-\u1FDB"
    "\u1FE0-\u1FEC\u1FF2-\u1FF4\u1FF6-\u1FFC\u2102\u2107\u210A-\u2113\u2115\u2119-\u211D\u2124\u2126\u2128"
    "\u212A-\u212D\u212F-\u2134\u2139\u213C-\u213F\u2145-\u2149\u214E\u2183\u2184\u2C00-\u2C7B\u2C7E-\u2CE4"
    "\u2CEB-\u2CEE\u2CF2\u2CF3\uA640-\uA66D\uA680-\uA69B\uA722-\uA76F\uA771-\uA787\uA78B-\uA78E\uAB70-\uABBF"
    "\uFB00-\uFB06\uFB13-\uFB17\uFF21-\uFF3A\uFF41-\uFF5A\U00010400-\U0001044F\U000104B0-\U000104D3"
    "\U000104D8-\U000104FB\U00010C80-\U00010CB2\U00010CC0-\U00010CF2\U000118A0-\U000118DF"
    "\U0001E900-\U0001E943"
    "]+";
constexpr std::string_view kWidePunctuation = "\\s?[!-/:-~\uFF01-\uFF0F\uFF1A-\uFF5E\u2018-\u201F\u3000-\u3002]+";
constexpr std::string_view kEastAsian = "[\u4E00-\u9FA5\u0800-\u4E00\uAC00-\uD7FF]+";

constexpr std::array<std::string_view, 1> kQwen2 = {kQwen2SplitRegex};
constexpr std::array<std::string_view, 1> kQwen35 = {kQwen35SplitRegex};
constexpr std::array<std::string_view, 1> kLlama3 = {kLlama3SplitRegex};
constexpr std::array<std::string_view, 1> kTekken = {kTekkenSplitRegex};
constexpr std::array<std::string_view, 1> kGpt4o = {kGpt4oSplitRegex};
constexpr std::array<std::string_view, 4> kDefault = {R"([\p{P}\$\+<=>\^~\|]+)", kGpt2SplitRegex, R"(\p{N}+)",
                                                      "[0-9][0-9][0-9]"};
constexpr std::array<std::string_view, 6> kDeepSeekLlm = {R"([\r\n])", kCasedLetters, kWidePunctuation,
                                                          R"(\s+$)",   kEastAsian,    R"(\p{N}+)"};
constexpr std::array<std::string_view, 5> kDeepSeekCoder = {R"([\r\n])", R"(\s?\p{L}+)", R"(\s?\p{P}+)", kEastAsian,
                                                            R"(\p{N})"};

constexpr std::array<GgufPreTokenizer, 13> kPreTokenizers = {
    {{.name = "default", .regexes = kDefault},
     {.name = "qwen2", .regexes = kQwen2, .normalizes = true},
     {.name = "deepseek-r1-qwen", .regexes = kQwen2},
     {.name = "qwen35", .regexes = kQwen35, .normalizes = true},
     {.name = "llama-bpe", .regexes = kLlama3, .ignores_merges = true, .adds_bos = true},
     {.name = "llama3", .regexes = kLlama3, .ignores_merges = true, .adds_bos = true},
     {.name = "llama-v3", .regexes = kLlama3, .ignores_merges = true, .adds_bos = true},
     {.name = "tekken", .regexes = kTekken, .ignores_merges = true, .adds_bos = true},
     {.name = "gpt-4o", .regexes = kGpt4o},
     {.name = "deepseek-llm", .regexes = kDeepSeekLlm},
     {.name = "deepseek-coder", .regexes = kDeepSeekCoder},
     {.name = "smollm", .regexes = {}, .splits_as_gpt2 = true, .cuts_digits = true},
     {.name = "gpt-2", .regexes = {}, .splits_as_gpt2 = true}}};

}  // namespace

const GgufPreTokenizer& find_gguf_pre_tokenizer(const GgufMetadata& metadata) {
  const std::string name = metadata.text("tokenizer.ggml.pre").value_or("default");
  const auto* found = std::ranges::find(kPreTokenizers, std::string_view(name), &GgufPreTokenizer::name);
  if (found != kPreTokenizers.end()) return *found;
  throw model_error("unsupported pre-tokenizer " + in_quotes(name) + " (tokenizer.ggml.pre)", metadata.origin(),
                    "supported: " + joined(kPreTokenizers | std::views::transform(&GgufPreTokenizer::name)) + "; " +
                        std::string(kNeedNoText));
}

std::string gguf_pre_tokenizer_json(const GgufPreTokenizer& pre) {
  using Json = nlohmann::ordered_json;
  Json steps = Json::array();
  if (pre.cuts_digits) steps.push_back({{"type", "Digits"}, {"individual_digits", true}});
  for (const std::string_view regex : pre.regexes) {
    steps.push_back({{"type", "Split"}, {"pattern", {{"Regex", regex}}}, {"behavior", "Isolated"}});
  }
  steps.push_back({{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", pre.splits_as_gpt2}});
  return Json{{"type", "Sequence"}, {"pretokenizers", std::move(steps)}}.dump();
}

}  // namespace strata::importer
