// SPDX-License-Identifier: Apache-2.0
#include "test_data.h"
#include "text/stop_matcher.h"
#include "text/utf8_stream.h"

namespace strata::text {
namespace {

// The pieces between random cuts.
std::vector<std::string> random_pieces(std::mt19937_64& random, const std::string& text) {
  std::vector<std::string> pieces;
  for (std::size_t pos = 0; pos < text.size();) {
    const std::size_t size = std::min<std::size_t>(random() % 4, text.size() - pos);
    pieces.push_back(text.substr(pos, size));
    pos += size;
  }
  return pieces;
}

TEST(Utf8Stream, CutsDoNotMatter) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 20'000; ++i) {
    const std::string text = i % 2 == 0 ? random_text(random, random() % 12) : random_bytes(random, random() % 24);
    Utf8Stream stream;
    std::string out;
    for (const std::string& piece : random_pieces(random, text)) {
      const std::string now = stream.push(piece);
      EXPECT_TRUE(is_valid_utf8(now));
      out += now;
    }
    out += stream.finish();
    EXPECT_EQ(out, replace_invalid_utf8(text));
  }
}

TEST(Utf8Stream, HoldsBackAnUnfinishedCharacter) {
  Utf8Stream stream;
  EXPECT_EQ(stream.push("a\xF0\x9F"), "a");
  EXPECT_EQ(stream.push("\x99\x82"), "\U0001F642");
  EXPECT_EQ(stream.push("\xE2"), "");
  EXPECT_EQ(stream.push("b"), "\uFFFDb");
  EXPECT_EQ(stream.push("\xE2\x82"), "");
  EXPECT_EQ(stream.finish(), "\uFFFD");
  EXPECT_EQ(stream.finish(), "");
}

// Where the earliest completed stop string begins, by trying every end; npos where there is none.
std::string text_before_stop(const std::string& text, const std::vector<std::string>& stops) {
  for (std::size_t end = 1; end <= text.size(); ++end) {
    std::size_t longest = 0;
    for (const std::string& stop : stops) {
      if (text.substr(0, end).ends_with(stop)) longest = std::max(longest, stop.size());
    }
    if (longest > 0) return text.substr(0, end - longest);
  }
  return text;
}

TEST(StopMatcher, StreamedTextIsTheTextBeforeTheStop) {
  std::mt19937_64 random(2);
  const auto word = [&](std::size_t size) {
    std::string text;
    for (std::size_t i = 0; i < size; ++i) text.push_back("aab"[random() % 3]);
    return text;
  };
  for (int i = 0; i < 100'000; ++i) {
    std::vector<std::string> stops;
    for (std::uint64_t n = random() % 4; n > 0; --n) stops.push_back(word(1 + random() % 5));
    const std::string text = word(random() % 20);
    StopMatcher matcher(stops);
    std::string out;
    bool stopped = false;
    for (const std::string& piece : random_pieces(random, text)) {
      const StopMatcher::Result result = matcher.push(piece);
      out += result.text;
      stopped = stopped || result.stopped;
    }
    out += matcher.finish();
    const std::string expected = text_before_stop(text, stops);
    ASSERT_EQ(out, expected) << text;
    ASSERT_EQ(stopped, expected != text);
  }
}

TEST(StopMatcher, HoldsBackNoMoreThanNeeded) {
  StopMatcher matcher({"stop", ""});
  EXPECT_EQ(matcher.push("a st").text, "a ");
  EXPECT_EQ(matcher.push("ep sto").text, "step ");
  EXPECT_EQ(matcher.push("x").text, "stox");
  const StopMatcher::Result last = matcher.push("b stop c");
  EXPECT_EQ(last.text, "b ");
  EXPECT_TRUE(last.stopped);
  EXPECT_EQ(matcher.push("more").text, "");
  EXPECT_EQ(matcher.finish(), "");
}

TEST(StopMatcher, HiddenTextIsMatchedAndNeverGivenBack) {
  StopMatcher matcher({"<|end|>", "b<"});
  EXPECT_EQ(matcher.push("a").text, "a");
  EXPECT_EQ(matcher.push("<|start|>", false).text, "");
  EXPECT_EQ(matcher.push("c<|").text, "c");
  EXPECT_EQ(matcher.push("e", false).text, "");
  EXPECT_EQ(matcher.push("f").text, "<|f") << "what was held is shown without the hidden byte";
  const StopMatcher::Result last = matcher.push("<|end|>", false);
  EXPECT_EQ(last.text, "");
  EXPECT_TRUE(last.stopped);
}

TEST(StopMatcher, AStopMayBeginInShownTextAndEndInHiddenText) {
  StopMatcher matcher({"b<"});
  EXPECT_EQ(matcher.push("ab").text, "a");
  const StopMatcher::Result last = matcher.push("<|x|>", false);
  EXPECT_EQ(last.text, "");
  EXPECT_TRUE(last.stopped);
  EXPECT_EQ(matcher.finish(), "");
}

TEST(StopMatcher, WithoutStopsTextPassesThrough) {
  StopMatcher matcher({});
  EXPECT_EQ(matcher.push("abc").text, "abc");
  EXPECT_EQ(matcher.finish(), "");
}

}  // namespace
}  // namespace strata::text
