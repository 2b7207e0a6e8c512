// SPDX-License-Identifier: Apache-2.0
#include "base/unicode.h"

#include <gtest/gtest.h>

#include "tests/base/random_text.h"

namespace strata {
namespace {

std::string nfc(std::string_view text) {
  std::string storage;
  return std::string(normalize_nfc(text, storage));
}

TEST(Utf8, DecodesEveryCharacterAndNothingElse) {
  for (char32_t c = 0; c < 0x110000; ++c) {
    std::string text;
    append_utf8(text, c);
    const Decoded decoded = decode_utf8(text, 0);
    const bool is_surrogate = c >= 0xD800 && c <= 0xDFFF;
    ASSERT_EQ(decoded.valid, !is_surrogate) << static_cast<unsigned>(c);
    if (!is_surrogate) ASSERT_EQ(decoded.code_point, c);
  }
}

// Counted as Python's bytes.decode(errors="replace") does.
TEST(Utf8, ReplacesMaximalSubparts) {
  EXPECT_EQ(replace_invalid_utf8("\xC0\xAF"), "\uFFFD\uFFFD");
  EXPECT_EQ(replace_invalid_utf8("\xE2\x82"
                                 "a"),
            "\uFFFDa");
  EXPECT_EQ(replace_invalid_utf8("\xF0\x9F\x99"), "\uFFFD");
  EXPECT_EQ(replace_invalid_utf8("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(replace_invalid_utf8("\xF5\x80"), "\uFFFD\uFFFD");
  EXPECT_EQ(replace_invalid_utf8("\xF0\x80\x80"), "\uFFFD\uFFFD\uFFFD");
}

TEST(Unicode, ClassesOfThePreTokenizers) {
  EXPECT_EQ(char_class(U'a'), CharClass::kLetter);
  EXPECT_EQ(char_class(0x4E2D), CharClass::kLetter);
  EXPECT_EQ(char_class(0x2EBF0), CharClass::kLetter) << "CJK extension I, of Unicode 15.1";
  EXPECT_EQ(char_class(0xBD), CharClass::kNumber);
  EXPECT_EQ(char_class(0x1E5F1), CharClass::kNumber) << "of Unicode 16";
  EXPECT_EQ(char_class(0x85), CharClass::kSpace);
  EXPECT_EQ(char_class(0x3000), CharClass::kSpace);
  EXPECT_EQ(char_class(0x1C), CharClass::kOther);
  EXPECT_EQ(char_class(0x301), CharClass::kOther);
  EXPECT_EQ(char_class(0x1F642), CharClass::kOther);
}

TEST(Nfc, ComposesAndOrders) {
  EXPECT_EQ(nfc("cafe\u0301"), "caf\u00e9");
  EXPECT_EQ(nfc("q\u0307\u0323"), "q\u0323\u0307");
  EXPECT_EQ(nfc("\u212B \u1100\u1161\u11A8"), "\u00C5 \uAC01");
  EXPECT_EQ(nfc("\u0958"), "\u0915\u093C") << "excluded from composition";
  EXPECT_EQ(nfc("\u1ebf"), "\u1ebf");
}

TEST(Nfc, LeavesNormalTextWhereItIs) {
  std::string storage;
  const std::string text = "plain \u00e9 \u4e2d\u6587";
  EXPECT_EQ(normalize_nfc(text, storage).data(), text.data());
}

TEST(Nfc, IsIdempotent) {
  std::mt19937_64 random(5);
  for (int i = 0; i < 5000; ++i) {
    const std::string once = nfc(random_text(random, 12));
    EXPECT_EQ(nfc(once), once);
  }
}

TEST(Nfc, CharactersTheReferenceDoesNotKnowStayPut) {
  EXPECT_EQ(nfc("a\u1ABF\u0301"), "a\u1ABF\u0301");
  EXPECT_EQ(nfc("\U00011935\U00011930"), "\U00011935\U00011930");
}

}  // namespace
}  // namespace strata
