// SPDX-License-Identifier: Apache-2.0
#include "text/steps_reader.h"

#include <algorithm>
#include <utility>

#include "base/utf8.h"
#include "text/component_reader.h"

namespace strata::text {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxSteps = 16;
// How much longer replacing may make a text: U+2581 for each space is 3.
constexpr double kMaxGrowth = 64;
constexpr std::size_t kMaxPrependedBytes = 64;
constexpr std::int64_t kMaxStripped = 1024;
constexpr const char* kSpaceRuns = " {2,}";

class StepsReader : protected ComponentReader {
 public:
  StepsReader(const std::string& origin, const char* name) : ComponentReader(origin), name_(name) {}

 protected:
  void count_step() {
    if (++steps_ > kMaxSteps) fail(std::string(name_) + " has too many steps");
  }

  // What a Replace puts in place of `from`.
  std::string replacement(const json& part, const std::string& from) {
    std::string to = text(part, "content");
    if (from.empty()) fail(std::string(name_) + " replaces an empty text");
    growth_ *= std::max(1.0, static_cast<double>(to.size()) / static_cast<double>(from.size()));
    if (growth_ > kMaxGrowth) fail(std::string(name_) + " makes texts more than 64 times as long");
    return to;
  }

  // A pattern's "String" or "Regex"; "" where it is the other one.
  std::string pattern(const json& part, const char* kind) const {
    const json& value = member(part, "pattern");
    if (!value.is_object() || !(value.contains("String") || value.contains("Regex"))) {
      fail(std::string(name_) + " has a pattern that is neither a String nor a Regex");
    }
    return value.contains(kind) ? text(value, kind) : "";
  }

  // Of Metaspace: one character.
  std::string symbol(const json& part) const {
    std::string replacement = text(part, "replacement");
    const bool is_character = !replacement.empty() && decode_utf8(replacement, 0).size == replacement.size();
    if (!is_character) fail("the replacement of Metaspace is not one character");
    return replacement;
  }

  MetaspaceStep::Prepend prepend_scheme(const json& part) const {
    const json& value = member(part, "prepend_scheme");
    if (!flag(part, "add_prefix_space", true) || value == "never") return MetaspaceStep::Prepend::kNever;
    if (value == "first") return MetaspaceStep::Prepend::kToTextBegin;
    if (!value.is_null() && value != "always") fail("prepend_scheme is not always, first or never");
    return MetaspaceStep::Prepend::kAlways;
  }

  const char* name_;

 private:
  std::size_t steps_ = 0;
  double growth_ = 1;
};

class NormalizerReader : private StepsReader {
 public:
  explicit NormalizerReader(const std::string& origin) : StepsReader(origin, "normalizer") {}

  Normalizer read(const json& section) {
    read_part(section, 0);
    return std::move(normalizer_);
  }

 private:
  void read_part(const json& part, int depth) {
    const std::string type = type_of(part, "normalizer");
    if (type.empty()) return;
    if (type == "Sequence" && depth == 0) {
      for (const json& inner : list(part, "normalizers")) read_part(inner, depth + 1);
      return;
    }
    count_step();
    normalizer_.add(step(part, type));
  }

  Normalizer::Step step(const json& part, const std::string& type) {
    if (type == "NFC") return Normalizer::Nfc{};
    if (type == "NFKC") return Normalizer::Nfkc{};
    if (type == "Lowercase") return Normalizer::Lowercase{};
    if (type == "Strip") return Normalizer::Strip{flag(part, "strip_left", true), flag(part, "strip_right", true)};
    if (type == "Prepend") return prepend(part);
    if (type == "Replace") return replace(part);
    unsupported("normalizer " + shown(type),
                "NFC, NFKC, Lowercase, Strip, Prepend, Replace, null, a Sequence of these");
  }

  Normalizer::Prepend prepend(const json& part) const {
    std::string prepended = text(part, "prepend");
    if (prepended.size() > kMaxPrependedBytes) fail("normalizer prepends more than 64 bytes");
    return {std::move(prepended)};
  }

  Normalizer::Step replace(const json& part) {
    const std::string regex = pattern(part, "Regex");
    if (regex == kSpaceRuns) return Normalizer::ReplaceSpaceRuns{replacement(part, "  ")};
    if (!regex.empty())
      unsupported("normalizer Replace of " + shown(regex), std::string("a String, the Regex ") + kSpaceRuns);
    std::string from = pattern(part, "String");
    std::string to = replacement(part, from);
    return Normalizer::Replace{std::move(from), std::move(to)};
  }

  Normalizer normalizer_;
};

class PreTokenizerReader : private StepsReader {
 public:
  explicit PreTokenizerReader(const std::string& origin) : StepsReader(origin, "pre_tokenizer") {}

  PreTokenizerSection read(const json& section) {
    read_part(section, 0);
    return std::move(result_);
  }

 private:
  void read_part(const json& part, int depth) {
    const std::string type = type_of(part, "pre_tokenizer");
    if (type.empty()) return;
    if (type == "Sequence" && depth == 0) {
      for (const json& inner : list(part, "pretokenizers")) read_part(inner, depth + 1);
      return;
    }
    count_step();
    if (result_.is_byte_level)
      unsupported("pre_tokenizer " + shown(type) + " after ByteLevel", "ByteLevel as the last step");
    if (type == "ByteLevel") return read_byte_level(part);
    result_.steps.add(step(part, type));
  }

  PreTokenizer::Step step(const json& part, const std::string& type) const {
    if (type == "Split") return split(part);
    if (type == "Digits") {
      return flag(part, "individual_digits", false) ? SplitPattern::kDigit : SplitPattern::kDigitRun;
    }
    if (type == "Metaspace") return MetaspaceStep{symbol(part), prepend_scheme(part), flag(part, "split", true)};
    unsupported("pre_tokenizer " + shown(type), "Split, Digits, ByteLevel, Metaspace, null, a Sequence of these");
  }

  void read_byte_level(const json& part) {
    result_.is_byte_level = true;
    if (flag(part, "add_prefix_space", true)) result_.steps.add(PrefixSpaceStep{});
    if (flag(part, "use_regex", true)) result_.steps.add(SplitPattern::kGpt2);
  }

  PreTokenizer::Step split(const json& part) const {
    const std::string regex = pattern(part, "Regex");
    if (regex.empty()) return literal_split(part);
    const json& behavior = member(part, "behavior");
    const bool inverted = flag(part, "invert", false);
    if (const auto known = find_split_pattern(regex)) {
      // A pattern that covers the whole text cuts it the same way whether its matches are isolated, or what is not
      // matched is removed.
      const bool isolates = behavior == "Isolated" || (behavior == "Removed" && inverted);
      if (!isolates) refuse_behavior(behavior, "Isolated, Removed with invert");
      return *known;
    }
    auto classes = CharacterPattern::parse(regex);
    if (!classes) unsupported("Split pattern " + shown(regex), supported_split_patterns() + ", classes of characters");
    if (behavior != "Isolated") refuse_behavior(behavior, "Isolated");
    return std::move(*classes);
  }

  PreTokenizer::Step literal_split(const json& part) const {
    const json& behavior = member(part, "behavior");
    LiteralSplit split{pattern(part, "String")};
    if (split.text.empty()) fail("pre_tokenizer splits at an empty text");
    if (flag(part, "invert", false)) unsupported("Split with a String and invert", "invert false");
    split.before = behavior == "Isolated" || behavior == "MergedWithNext";
    split.after = behavior == "Isolated" || behavior == "MergedWithPrevious";
    if (!split.before && !split.after) refuse_behavior(behavior, "Isolated, MergedWithPrevious, MergedWithNext");
    return split;
  }

  [[noreturn]] void refuse_behavior(const json& behavior, const char* supported) const {
    unsupported("Split behavior " + behavior.dump().substr(0, 40), supported);
  }

  PreTokenizerSection result_;
};

class DecoderReader : private StepsReader {
 public:
  explicit DecoderReader(const std::string& origin) : StepsReader(origin, "decoder") {}

  Decoder read(const json& section, bool is_byte_level) {
    read_part(section, 0);
    if (types_.empty()) unsupported("decoder null", is_byte_level ? "ByteLevel" : kSupported);
    const bool has_byte_level = std::ranges::find(types_, "ByteLevel") != types_.end();
    if (is_byte_level && !(has_byte_level && types_.size() == 1)) {
      unsupported("decoder " + shown(types_[0]) + " with a pre_tokenizer ByteLevel", "ByteLevel");
    }
    if (has_byte_level && !is_byte_level)
      unsupported("decoder ByteLevel with a pre_tokenizer without ByteLevel", kSupported);
    return std::move(decoder_);
  }

 private:
  static constexpr const char* kSupported = "Replace, ByteFallback, Fuse, Strip, Metaspace, a Sequence of these";

  void read_part(const json& part, int depth) {
    const std::string type = type_of(part, "decoder");
    if (type.empty()) return;
    if (type == "Sequence" && depth == 0) {
      for (const json& inner : list(part, "decoders")) read_part(inner, depth + 1);
      return;
    }
    count_step();
    types_.push_back(type);
    if (type == "Strip") {
      is_fused_ ? decoder_.strip_text(strip(part)) : decoder_.add(strip(part));
    } else if (is_fused_) {
      unsupported("decoder " + shown(type) + " after Fuse", "Strip");
    } else if (type == "Fuse") {
      is_fused_ = true;
    } else {
      decoder_.add(step(part, type));
    }
  }

  Decoder::Step step(const json& part, const std::string& type) {
    if (type == "ByteLevel") return Decoder::ByteLevel{};
    if (type == "ByteFallback") return Decoder::ByteFallback{};
    if (type == "Metaspace") {
      return Decoder::Metaspace{symbol(part), prepend_scheme(part) != MetaspaceStep::Prepend::kNever};
    }
    if (type != "Replace") unsupported("decoder " + shown(type), std::string("ByteLevel, ") + kSupported);
    std::string from = pattern(part, "String");
    if (from.empty()) unsupported("decoder Replace of a Regex", "a String");
    std::string to = replacement(part, from);
    return Decoder::Replace{std::move(from), std::move(to)};
  }

  Decoder::Strip strip(const json& part) const {
    std::string character = text(part, "content");
    const bool is_character = !character.empty() && decode_utf8(character, 0).size == character.size();
    if (!is_character) fail("the content of the decoder's Strip is not one character");
    if (count(part, "stop", kMaxStripped) != 0) unsupported("decoder Strip at the end of a text", "stop 0");
    return {std::move(character), static_cast<std::size_t>(count(part, "start", kMaxStripped))};
  }

  Decoder decoder_;
  std::vector<std::string> types_;
  bool is_fused_ = false;
};

}  // namespace

Normalizer read_normalizer(const json& section, const std::string& origin) {
  return NormalizerReader(origin).read(section);
}

PreTokenizerSection read_pre_tokenizer(const json& section, const std::string& origin) {
  return PreTokenizerReader(origin).read(section);
}

Decoder read_decoder(const json& section, const std::string& origin, bool is_byte_level) {
  return DecoderReader(origin).read(section, is_byte_level);
}

}  // namespace strata::text
