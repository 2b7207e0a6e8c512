// SPDX-License-Identifier: Apache-2.0
// Sequences that share pages of the caches.
#include <gtest/gtest.h>

#include <map>
#include <span>
#include <string>
#include <vector>

#include "tests/runtime/allocations.h"
#include "tests/runtime/fake_session.h"

namespace strata::runtime {
namespace {

// Of sequences that share pages, up to four rows of which are computed together.
Entry paged_entry(const std::string& function, const std::string& symbol, package::SymbolRange seq) {
  Entry entry = forward_entry(symbol, seq);
  entry.function = function;
  const bool is_each = function == "forward_each";
  std::vector<package::Extent> extents = {{1, "pages"}};
  if (is_each) extents.insert(extents.begin(), {1, "seq"});
  entry.parameters.insert(entry.parameters.begin() + 3,
                          {{"rows", Kind::kInput, DType::kI32, {{1, "seq"}}, ""},
                           {is_each ? "pages_each" : "pages", Kind::kInput, DType::kI32, extents, ""}});
  return entry;
}

Manifest paged_manifest() {
  Manifest manifest = fake_manifest();
  manifest.weight_bytes = 4096;  // as many as the rows of 1,024 tokens
  manifest.symbols = {"ctx", "seq", "pages"};
  manifest.symbol_ranges["ctx"] = {256, 1 << 20, 256};
  manifest.symbol_ranges["pages"] = {1, 64, 1};
  manifest.entries[0] = paged_entry("forward", "fake_forward_paged", {1, 8, 1});
  manifest.entries[1] = paged_entry("forward_each", "fake_forward_each", {2, 4, 1});
  return manifest;
}

// What of a row of logits tells how it came about.
struct Row {
  float checksum, entry, rows;
  bool operator==(const Row&) const = default;
};

std::map<std::size_t, Row> step(Session& session, const std::vector<Session::Feed>& feeds) {
  std::map<std::size_t, Row> made;
  session.step(feeds, [&](std::size_t feed, std::span<const float> logits) {
    EXPECT_FALSE(made.contains(feed));
    EXPECT_EQ(session.hidden()[fake::kChecksum], logits[fake::kChecksum]);
    made[feed] = {logits[fake::kChecksum], logits[fake::kEntry], logits[fake::kSeq]};
  });
  return made;
}

TEST_F(Sessions, RowsOfSeveralSequencesAreOneCall) {
  const auto session = open(paged_manifest(), {.threads = 2, .context = 1000, .sequences = 3});
  const Tokens first = counting(600), second = {4, 4, 9}, third = {7, 1};
  const std::span all(first);
  // The long one by itself, as no call takes it; the others together.
  EXPECT_EQ(step(*session, {{0, all.first(598), true}, {1, {second.data(), 2}, true}, {2, third, false}}),
            (std::map<std::size_t, Row>{{0, {checksum({first.begin(), first.end() - 2}), 5, 6}},
                                        {1, {checksum({4, 4}), 6, 4}}}));
  const auto made =
      step(*session, {{2, {third.data(), 1}, true}, {0, all.subspan(598), true}, {1, {second.data() + 2, 1}, true}});
  EXPECT_EQ(made, (std::map<std::size_t, Row>{
                      {0, {checksum({7, 1, 7}), 6, 4}}, {1, {checksum(first), 6, 4}}, {2, {checksum(second), 6, 4}}}));
  session->select(0);
  EXPECT_EQ(session->position(), 600);
  session->rewind(300);
  EXPECT_EQ(session->feed(all.subspan(300))[fake::kChecksum], checksum(first)) << "one after the other too";
  EXPECT_EQ(step(*session, {{1, {first.data(), 1}, true}}).at(0), (Row{checksum({4, 4, 9, 3}), 5, 1})) << "one alone";
}

// Of three tokens behind 600 each would read these by itself.
TEST_F(Sessions, TokensOfOneSequenceReadALongContextOnce) {
  const auto session = open(paged_manifest(), {.threads = 1, .context = 1000, .sequences = 2});
  Tokens first = counting(603);
  const Tokens second = {4};
  session->feed(std::span(first).first(600));
  EXPECT_EQ(step(*session, {{0, std::span(first).subspan(600), true}, {1, second, true}}),
            (std::map<std::size_t, Row>{{0, {checksum(first), 5, 3}}, {1, {checksum(second), 5, 1}}}));
}

TEST_F(Sessions, StepsWithoutPagesAreOneFeedAfterTheOther) {
  const auto session = open(fake_manifest(), {.threads = 2, .sequences = 2});
  const Tokens first = {3, 4}, second = {5};
  EXPECT_EQ(step(*session, {{0, first, true}, {1, second, true}}),
            (std::map<std::size_t, Row>{{0, {checksum(first), 2, 2}}, {1, {checksum(second), 1, 1}}}));
}

TEST_F(Sessions, StepsTogetherAllocateNothing) {
  const auto session = open(paged_manifest(), {.threads = 2, .context = 1000, .sequences = 3});
  const Tokens tokens = counting(400);
  const std::vector<Session::Feed> feeds = {
      {0, {tokens.data(), 1}, true}, {1, {tokens.data(), 2}, true}, {2, tokens, false}};
  const Session::TakeLogits take = [](std::size_t, std::span<const float>) {};
  session->step(feeds, take);
  const std::int64_t before = allocations();
  session->step(feeds, take);
  EXPECT_EQ(allocations(), before);
}

// Three pages for two sequences that may have two each.
TEST_F(Sessions, SequencesShareASmallerPool) {
  const auto session = open(paged_manifest(), {.threads = 1, .context = 512, .sequences = 2, .pool = 768});
  const Tokens tokens = counting(512);
  session->feed(tokens);
  session->select(1);
  session->feed(std::span(tokens).first(256));
  expect_error(ExitCode::kResource, {"the key/value cache of 768 tokens is full"}, [&] { session->feed({{1}}); });
  EXPECT_EQ(session->position(), 256);
  session->select(0);
  session->rewind(256);
  session->select(1);
  EXPECT_EQ(session->feed({{1}})[fake::kCtx], 768);
}

// What one sequence computed another one that begins alike doesn't compute again; what follows is each one's own.
TEST_F(Sessions, SequencesThatBeginAlikeShareWhatTheyHold) {
  const auto session = open(paged_manifest(), {.threads = 2, .context = 1000, .sequences = 2});
  const Tokens start = counting(600);
  session->feed(start);
  Tokens first = start, second = start;
  first.push_back(5);
  second.push_back(6);
  const std::vector<int> ended = {1};
  const Session::Begun begun = session->begin(ended, second);
  EXPECT_EQ(begun.sequence, 1);
  EXPECT_EQ(begun.held, 600);
  EXPECT_EQ(session->feed({{6}})[fake::kChecksum], checksum(second));
  session->select(0);
  EXPECT_EQ(session->feed({{5}})[fake::kChecksum], checksum(first));
  session->end(0);
  session->end(1);
  second.resize(400);
  EXPECT_EQ(session->begin(std::vector{1, 0}, std::span(second).first(399)).held, 399);
  EXPECT_EQ(session->feed({{second.back()}})[fake::kChecksum], checksum(second));
}

}  // namespace
}  // namespace strata::runtime
