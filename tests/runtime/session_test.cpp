// SPDX-License-Identifier: Apache-2.0
#include "runtime/session.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/temp_dir.h"
#include "machine/cpu.h"
#include "package/package.h"
#include "tests/base/expect_error.h"
#include "tests/runtime/allocations.h"
#include "tests/runtime/fake_program.h"
#include "tests/runtime/fake_session.h"

namespace strata::runtime {
namespace {

// With entries that make the first row of hidden, and none.
Manifest manifest_with_wanted_rows() {
  Manifest manifest = fake_manifest();
  Entry one = forward_entry("fake_forward_first_row", {2, 8, 1});
  one.function = "forward_one";
  one.parameters.back().extents[0] = {1, ""};
  Entry none = forward_entry("fake_forward_no_row", {2, 8, 1});
  none.function = "forward_none";
  none.parameters.pop_back();
  manifest.entries.insert(manifest.entries.begin() + 2, {one, none});
  return manifest;
}

class Threads : public Sessions, public testing::WithParamInterface<int> {};

TEST_P(Threads, ChunksAndStepsAgree) {
  const Tokens tokens = counting(20);
  const auto whole = open(fake_manifest(), {.threads = GetParam(), .fixed_team = true});
  const auto stepwise = open(fake_manifest(), {.threads = GetParam(), .fixed_team = true});
  EXPECT_EQ(whole->threads(), GetParam());
  const auto logits = whole->feed(tokens);
  std::span<const float> step;
  for (const std::int32_t token : tokens) step = stepwise->feed({{token}});
  ASSERT_EQ(logits.size(), static_cast<std::size_t>(fake::kVocab));
  ASSERT_EQ(step.size(), static_cast<std::size_t>(fake::kVocab));
  for (const auto& row : {logits, step}) {
    EXPECT_EQ(row[fake::kChecksum], checksum(tokens));
    EXPECT_EQ(row[fake::kPosition], 19);
    EXPECT_EQ(row[fake::kRanks], GetParam());
    EXPECT_EQ(row[fake::kWeight], kFirstWeight);
    EXPECT_EQ(row[fake::kFirstPlain], 10 + kSecondWeight);
  }
}

TEST_P(Threads, FeedingAllocatesNothing) {
  const auto session = open(fake_manifest(), {.threads = GetParam(), .fixed_team = true});
  const Tokens prompt = counting(19);
  session->feed(prompt);
  const std::int64_t before = allocations();
  for (std::int32_t token = 0; token < 20; ++token) session->feed({&token, 1});
  session->feed(prompt);
  session->rewind(0);
  session->feed_all(prompt, [](std::span<const float>, std::int64_t) {});
  EXPECT_EQ(allocations(), before);
}

INSTANTIATE_TEST_SUITE_P(Counts, Threads, testing::Values(1, 2, 3, 4));

TEST_F(Sessions, HiddenRowIsTheLastTokens) {
  for (const Manifest& manifest : {fake_manifest(), manifest_with_wanted_rows()}) {
    const auto session = open(manifest, {.threads = 2});
    const Tokens tokens = counting(11);
    session->feed(tokens);
    ASSERT_EQ(session->hidden().size(), static_cast<std::size_t>(fake::kHidden));
    EXPECT_EQ(session->hidden()[fake::kChecksum], checksum(tokens));
    session->rewind(10);
    session->feed(std::span(tokens).subspan(10));
    EXPECT_EQ(session->hidden()[fake::kChecksum], checksum(tokens));
  }
}

TEST_F(Sessions, SequencesHaveCachesOfTheirOwn) {
  const auto session = open(fake_manifest(), {.threads = 2, .sequences = 3});
  const Tokens first = counting(11), second = {4, 4, 9};
  session->feed(std::span(first).first(5));
  session->select(2);
  EXPECT_EQ(session->position(), 0);
  EXPECT_EQ(session->feed(second)[fake::kChecksum], checksum(second));
  session->select(0);
  EXPECT_EQ(session->position(), 5);
  EXPECT_EQ(session->feed(std::span(first).subspan(5))[fake::kChecksum], checksum(first));
  session->select(2);
  session->rewind(2);
  EXPECT_EQ(session->feed({{7}})[fake::kChecksum], checksum({4, 4, 7}));
  EXPECT_THROW(session->select(3), std::logic_error);
  EXPECT_THROW(session->select(-1), std::logic_error);
}

// A short beginning that all have in common is no reason to give up what one of them will go on with.
TEST_F(Sessions, WhoBeginsTakesTheSequenceThatItGoesOnWith) {
  const auto session = open(fake_manifest(), {.threads = 1, .sequences = 3});
  const Tokens first = counting(200);
  Tokens second(first.begin(), first.begin() + 20);
  second.push_back(1);
  const std::vector<int> all = {0, 1, 2}, others = {2, 0};
  EXPECT_EQ(session->begin(all, first).sequence, 0);
  session->feed(first);
  session->end(0);
  const Session::Begun begun = session->begin(others, second);
  EXPECT_EQ(begun.sequence, 2);
  EXPECT_EQ(begun.held, 0);
  session->feed(second);
  session->end(2);
  const Session::Begun again = session->begin(all, std::span(first).first(150));
  EXPECT_EQ(again.sequence, 0);
  EXPECT_EQ(again.held, 150);
  EXPECT_EQ(session->feed({{first[150]}})[fake::kChecksum], checksum({first.begin(), first.begin() + 151}));
}

TEST_F(Sessions, MemoryOfAllSequencesIsAskedForAtOnce) {
  Manifest manifest = fake_manifest();
  manifest.max_context = 8000;
  expect_error(ExitCode::kResource, {"contexts of 8000 tokens", "-np"},
               [&] { open(manifest, {.context = 8000, .sequences = std::numeric_limits<int>::max()}); });
}

TEST_F(Sessions, FeedsInChunksOfTheLargestRange) {
  const auto session = open();
  std::vector<std::int64_t> done;
  const auto logits = session->feed(counting(20), [&](std::int64_t count) { done.push_back(count); });
  EXPECT_EQ(done, (std::vector<std::int64_t>{8, 16, 20}));
  EXPECT_EQ(logits[fake::kSeq], 4);
  EXPECT_EQ(logits[fake::kRow], 0) << "the row that is wanted comes first";
  EXPECT_EQ(logits[fake::kPosition], 19);
  EXPECT_EQ(logits[fake::kHeadSeq], 1);
  EXPECT_EQ(logits[fake::kHeadCalls], 1);
  EXPECT_EQ(session->position(), 20);
}

// Of a prompt nothing is wanted of its chunks but the last row of the last one.
TEST_F(Sessions, ComputesTheRowsThatAreWanted) {
  const Manifest manifest = manifest_with_wanted_rows();
  for (const std::size_t count : {2, 8, 9, 20}) {
    const auto session = open(manifest);
    const auto logits = session->feed(counting(count));
    EXPECT_EQ(logits[fake::kEntry], count % 8 == 1 ? 1 : 3) << count;
    EXPECT_EQ(logits[fake::kPosition], static_cast<float>(count - 1));
    EXPECT_EQ(logits[fake::kChecksum], checksum(counting(count)));
  }
  const auto session = open(manifest);
  std::int64_t rows = 0;
  session->feed_all(counting(8), [&](std::span<const float> logits, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) {
      const float* const row = logits.data() + i * fake::kVocab;
      EXPECT_EQ(row[fake::kEntry], 2);
      EXPECT_EQ(row[fake::kPosition], static_cast<float>(rows++));
    }
  });
  EXPECT_EQ(rows, 8);
  session->feed_all(counting(8), {});
  EXPECT_EQ(session->position(), 16);
}

TEST_F(Sessions, RefusesEntriesOfOtherRows) {
  Manifest manifest = manifest_with_wanted_rows();
  manifest.entries[2].parameters.back().extents[0] = {1, "seq"};
  expect_error(ExitCode::kModel, {"another type"}, [&] { open(manifest); });
  manifest = manifest_with_wanted_rows();
  manifest.entries[3].parameters.push_back(manifest.entries[0].parameters.back());
  expect_error(ExitCode::kModel, {"is not known"}, [&] { open(manifest); });
  manifest = manifest_with_wanted_rows();
  manifest.entries[2].parameters.pop_back();
  expect_error(ExitCode::kModel, {"'fake_forward_first_row' lacks 'hidden'"}, [&] { open(manifest); });
  manifest = manifest_with_wanted_rows();
  manifest.entries[3].parameters.erase(manifest.entries[3].parameters.begin());
  expect_error(ExitCode::kModel, {"'fake_forward_no_row' lacks 'cache'"}, [&] { open(manifest); });
}

TEST_F(Sessions, PicksTheEntryByItsRange) {
  const auto session = open();
  EXPECT_EQ(session->feed(counting(1))[fake::kEntry], 1);
  EXPECT_EQ(session->feed(counting(2))[fake::kEntry], 2);
  EXPECT_EQ(session->feed(counting(9))[fake::kEntry], 1);
}

TEST_F(Sessions, RespectsMultiplesOfTheRange) {
  Manifest manifest = fake_manifest();
  manifest.entries[1].ranges["seq"] = {4, 8, 4};
  const auto session = open(manifest);
  std::vector<std::int64_t> done;
  const auto logits = session->feed(counting(14), [&](std::int64_t count) { done.push_back(count); });
  EXPECT_EQ(done, (std::vector<std::int64_t>{8, 12, 13, 14}));
  EXPECT_EQ(logits[fake::kChecksum], checksum(counting(14)));
}

TEST_F(Sessions, StopsBetweenChunks) {
  const auto session = open();
  int asked = 0;
  const auto logits = session->feed(counting(20), {}, [&] { return ++asked == 2; });
  EXPECT_TRUE(logits.empty());
  EXPECT_EQ(session->position(), 16);
  EXPECT_EQ(session->feed(counting(1))[fake::kPosition], 16);
}

TEST_F(Sessions, NothingIsFedByNothing) {
  const auto session = open();
  EXPECT_TRUE(session->feed({}).empty());
  EXPECT_EQ(session->position(), 0);
}

TEST_F(Sessions, FeedAllGivesEveryRow) {
  Manifest manifest = fake_manifest();
  manifest.entries[2].ranges["seq"] = {1, 3, 1};
  const auto session = open(manifest);
  const Tokens tokens = counting(20);
  std::size_t seen = 0;
  session->feed_all(tokens, [&](std::span<const float> rows, std::int64_t count) {
    EXPECT_LE(count, 3);
    ASSERT_EQ(rows.size(), static_cast<std::size_t>(count * fake::kVocab));
    for (std::int64_t i = 0; i < count; ++i, ++seen) {
      const auto row = rows.subspan(static_cast<std::size_t>(i * fake::kVocab));
      EXPECT_EQ(row[fake::kPosition], static_cast<float>(seen));
      EXPECT_EQ(row[fake::kChecksum],
                checksum({tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(seen) + 1}));
      EXPECT_EQ(row[fake::kHeadSeq], static_cast<float>(count));
    }
  });
  EXPECT_EQ(seen, tokens.size());
  EXPECT_EQ(session->position(), 20);
}

TEST_F(Sessions, FeedAllWithoutACallbackOnlyFillsTheCache) {
  const auto session = open();
  session->feed_all(counting(20), {});
  EXPECT_EQ(session->position(), 20);
  EXPECT_EQ(session->feed(counting(1))[fake::kHeadCalls], 1);
}

TEST_F(Sessions, ProfilesEveryCallOfTheEntriesAskedFor) {
  const auto session = open();
  Profile profile({{"fake_forward_one", 3}, {"fake_forward_many", 2}});
  session->feed(counting(3));
  session->set_profile(&profile);
  session->feed(counting(11));
  session->set_profile(nullptr);
  session->feed(counting(2));

  const auto& many = profile.entries().at("fake_forward_many");
  ASSERT_EQ(many.calls.size(), 2U);
  EXPECT_EQ(many.calls[0].rows, 8);
  EXPECT_EQ(many.calls[0].position, 3);
  EXPECT_EQ(many.calls[1].rows, 3);
  EXPECT_EQ(many.calls[1].position, 11);
  ASSERT_EQ(many.ops.size(), 2U);
  EXPECT_EQ(many.ops[fake::kFill].count, 2U);
  EXPECT_EQ(many.ops[1].count, 0U) << "no op has this id, and the mark beyond the last id isn't counted";
  EXPECT_TRUE(profile.entries().at("fake_forward_one").calls.empty());
  EXPECT_FALSE(profile.entries().contains("fake_head"));
}

TEST_F(Sessions, ClearedProfileCountsAfresh) {
  const auto session = open();
  Profile profile({{"fake_forward_one", 3}});
  session->set_profile(&profile);
  session->feed(counting(1));
  profile.clear();
  for (int i = 0; i < 4; ++i) session->feed(counting(1));
  const auto& one = profile.entries().at("fake_forward_one");
  EXPECT_EQ(one.calls.size(), 4U);
  EXPECT_EQ(one.ops[fake::kFill].count, 4U);
  EXPECT_EQ(one.ops[fake::kHiddenRows].count, 4U);
  EXPECT_GT(one.ops[fake::kFill].ns + one.ops[fake::kHiddenRows].ns, 0U);
}

TEST_F(Sessions, RewindForgets) {
  const auto session = open();
  session->feed(counting(20));
  session->rewind(5);
  EXPECT_EQ(session->position(), 5);
  Tokens tokens = counting(5);
  tokens.push_back(31);
  EXPECT_EQ(session->feed({{31}})[fake::kChecksum], checksum(tokens));
  EXPECT_THROW(session->rewind(7), std::logic_error);
  EXPECT_THROW(session->rewind(-1), std::logic_error);
}

TEST_F(Sessions, RefusesTokensOutsideOfTheVocabulary) {
  const auto session = open();
  for (const std::int32_t wrong : {-1, 32, 999999}) {
    Tokens tokens = counting(12);
    tokens.back() = wrong;
    const std::string message = "token " + std::to_string(wrong) + " is not in the vocabulary of 32";
    expect_error(ExitCode::kUsage, {message}, [&] { session->feed(tokens); });
    expect_error(ExitCode::kUsage, {message}, [&] { session->feed_all(tokens, {}); });
    EXPECT_EQ(session->position(), 0);
  }
}

TEST_F(Sessions, RefusesMoreThanTheContextHolds) {
  const auto session = open(fake_manifest(), {.context = 50});
  expect_error(ExitCode::kUsage, {"the prompt has 51 tokens, the context holds 50", "-c 51"},
               [&] { session->feed(counting(51)); });
  session->feed(counting(50));
  expect_error(ExitCode::kUsage, {"the sequence would have 51 tokens, the context holds 50"},
               [&] { session->feed(counting(1)); });
  EXPECT_EQ(session->position(), 50);
}

TEST_F(Sessions, DoesNotAdviseAContextBeyondTheModels) {
  const auto session = open();
  expect_error(ExitCode::kUsage, {"the prompt has 5001 tokens", "at most 5000"},
               [&] { session->feed(counting(5001)); });
}

TEST_F(Sessions, ContextIsRoundedUpForTheCodeOnly) {
  const auto session = open(fake_manifest(), {.context = 50});
  EXPECT_EQ(session->context(), 50);
  EXPECT_EQ(session->feed(counting(1))[fake::kCtx], 64);
  Manifest manifest = fake_manifest();
  manifest.entries[0].ranges["ctx"] = {1, 8192, 24};
  EXPECT_EQ(open(manifest, {.context = 50})->feed(counting(1))[fake::kCtx], 96);
}

TEST_F(Sessions, ContextDefaultsToTheModelsUpTo4096) {
  EXPECT_EQ(open()->context(), 4096);
  Manifest manifest = fake_manifest();
  manifest.max_context = 100;
  EXPECT_EQ(open(manifest)->context(), 100);
}

TEST_F(Sessions, RefusesAContextBeyondTheModels) {
  expect_error(ExitCode::kUsage, {"5001", "at most 5000"}, [&] { open(fake_manifest(), {.context = 5001}); });
  expect_error(ExitCode::kUsage, {"-1"}, [&] { open(fake_manifest(), {.context = -1}); });
}

TEST_F(Sessions, RefusesImpossibleThreads) {
  expect_error(ExitCode::kUsage, {"-1 threads"}, [&] { open(fake_manifest(), {.threads = -1}); });
  expect_error(ExitCode::kUsage, {"1000000 threads"}, [&] { open(fake_manifest(), {.threads = 1000000}); });
}

TEST_F(Sessions, TakesNoMoreThreadsThanAllowed) {
  const int allowed = machine::allowed_threads();
  EXPECT_EQ(open(fake_manifest(), {.threads = allowed + 3})->threads(), allowed);
  const auto fixed = open(fake_manifest(), {.threads = allowed + 3, .fixed_team = true});
  EXPECT_EQ(fixed->threads(), allowed + 3);
  EXPECT_EQ(fixed->feed({{1}})[fake::kRanks], static_cast<float>(allowed + 3));
}

TEST_F(Sessions, TakesTheAllowedThreadsByDefault) { EXPECT_EQ(open()->threads(), machine::allowed_threads()); }

TEST_F(Sessions, RefusesACacheThatMemoryCantHold) {
  Manifest manifest = fake_manifest();
  for (Entry* entry : {&manifest.entries[0], &manifest.entries[1]}) {
    entry->parameters[0].extents.push_back({std::int64_t{1} << 40, ""});
  }
  expect_error(ExitCode::kResource, {"a context of 4096 tokens needs", "GB of memory", "available", "-c"},
               [&] { open(manifest); });
}

TEST_F(Sessions, NamesTheFeaturesThatTheProcessorLacks) {
  Manifest manifest = fake_manifest();
  manifest.features = machine::detected_features();
  open(manifest);
  manifest.features.push_back("warp-drive");
  expect_error(ExitCode::kModel, {"needs warp-drive, which this processor lacks", "compile the model on this machine"},
               [&] { open(manifest); });
  manifest.features = {"f1", "f2", "f3", "f4", "f5", "f6", "f7", "f8", "f9"};
  expect_error(ExitCode::kModel, {"f8 and 1 more"}, [&] { open(manifest); });
}

TEST_F(Sessions, RefusesAnotherArchitecture) {
  Manifest manifest = fake_manifest();
  manifest.target = "pdp11";
  expect_error(ExitCode::kModel, {"compiled for pdp11"}, [&] { open(manifest); });
}

TEST_F(Sessions, NamesAFunctionThatTheCodeLacks) {
  Manifest manifest = fake_manifest();
  manifest.entries[2].symbol = "fake_tail";
  expect_error(ExitCode::kModel, {"no function 'fake_tail'"}, [&] { open(manifest); });
}

TEST_F(Sessions, RefusesCodeThatIsNone) {
  expect_error(ExitCode::kModel, {"code can't be loaded"}, [&] { Session::open(pack(fake_manifest(), "no ELF"), {}); });
}

TEST_F(Sessions, RefusesWhatIsNoPackage) {
  const auto path = folder_.path() / "text";
  std::ofstream(path) << "hello";
  expect_error(ExitCode::kModel, {path.string()}, [&] { Session::open(path, {}); });
  expect_error(ExitCode::kModel, {"missing.strata"}, [&] { Session::open(folder_.path() / "missing.strata", {}); });
}

// Flips one bit of the byte at `offset` from the end.
void damage(const std::filesystem::path& path, std::int64_t offset) {
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekg(-offset, std::ios::end);
  const char byte = static_cast<char>(file.get() ^ 1);
  file.seekp(-offset, std::ios::end);
  file.put(byte);
}

TEST_F(Sessions, DamagedWeightsAreFound) {
  const auto path = pack(fake_manifest());
  Session::open(path, {});
  damage(path, 1);
  expect_error(ExitCode::kModel, {"weights"}, [&] { Session::open(path, {}); });
  expect_error(ExitCode::kModel, {"weights"}, [&] { Session::open(path, {.verify = true}); });
}

TEST_F(Sessions, DamagedCodeIsNeverLoaded) {
  const auto path = pack(fake_manifest());
  damage(path, static_cast<std::int64_t>(std::filesystem::file_size(path)) - 8192);
  expect_error(ExitCode::kModel, {path.string()}, [&] { Session::open(path, {}); });
}

TEST_F(Sessions, CodeOfAnotherManifestIsNeverCalled) {
  const std::vector<std::pair<const char*, std::function<void(Manifest&)>>> forgeries = {
      {"a parameter removed", [](Manifest& m) { m.entries[0].parameters.erase(m.entries[0].parameters.begin()); }},
      {"a parameter more", [](Manifest& m) { m.entries[1].parameters.push_back(m.entries[1].parameters[0]); }},
      {"parameters swapped", [](Manifest& m) { std::swap(m.entries[0].parameters[1], m.entries[0].parameters[2]); }},
      {"a smaller state", [](Manifest& m) { m.entries[0].parameters[0].dtype = DType::kI8; }},
      {"a larger range", [](Manifest& m) { m.entries[1].ranges["seq"].max = 100; }},
      {"another multiple", [](Manifest& m) { m.symbol_ranges["ctx"].multiple = 1; }},
      {"symbols swapped", [](Manifest& m) { std::swap(m.symbols[0], m.symbols[1]); }},
      {"a smaller arena", [](Manifest& m) { m.entries[0].arena_bytes = m.entries[0].arena_lower_bound = 0; }},
      {"less scratch memory", [](Manifest& m) { m.entries[0].scratch_bytes = 0; }},
      {"entries swapped", [](Manifest& m) { std::swap(m.entries[0].symbol, m.entries[1].symbol); }},
      {"a longer context", [](Manifest& m) { m.max_context = 6000; }},
      {"a weight more",
       [](Manifest& m) { m.weights.push_back({.name = "w", .shape = {1}, .layout = "", .offset = 0, .bytes = 4}); }}};
  for (const auto& [name, forge] : forgeries) {
    SCOPED_TRACE(name);
    Manifest manifest = fake_manifest();
    forge(manifest);
    const auto path = pack(manifest, code_for(fake_manifest()));
    expect_error(ExitCode::kModel, {path.string()}, [&] { Session::open(path, {}); });
  }
  const auto path = pack(fake_manifest(), file_content(FAKE_PROGRAM));
  expect_error(ExitCode::kModel, {"was not made for its manifest"}, [&] { Session::open(path, {}); });
}

TEST_F(Sessions, CodeThatWasCutIsNeverLoaded) {
  const std::string code = code_for(fake_manifest());
  for (const std::size_t size : {std::size_t{5000}, std::size_t{4096}, std::size_t{1000}, std::size_t{64}}) {
    const auto path = pack(fake_manifest(), code.substr(0, size));
    expect_error(ExitCode::kModel, {"code can't be loaded", path.string()}, [&] { Session::open(path, {}); });
  }
}

TEST_F(Sessions, HasItsTexts) {
  const auto session = open();
  EXPECT_EQ(session->section("tokenizer.json"), "{}");
  EXPECT_EQ(session->section("nothing"), "");
  EXPECT_EQ(session->manifest().vocab_size, fake::kVocab);
}

// The loader knows libraries by path: each session must get its own copy of the code, whatever was loaded before.
TEST_F(Sessions, EachLoadsItsOwnCode) {
  const auto path = pack(fake_manifest());
  for (int round = 0; round < 3; ++round) {
    const auto first = Session::open(path, {});
    const auto second = Session::open(path, {});
    EXPECT_EQ(first->feed(counting(1))[fake::kHeadCalls], 1);
    EXPECT_EQ(first->feed(counting(1))[fake::kHeadCalls], 2);
    EXPECT_EQ(second->feed(counting(1))[fake::kHeadCalls], 1);
  }
}

TEST_F(Sessions, RefusesAManifestOfAnotherForm) {
  const std::vector<std::pair<std::string, std::function<void(Manifest&)>>> cases = {
      {"no function 'forward'", [](Manifest& m) { m.entries.erase(m.entries.begin(), m.entries.begin() + 2); }},
      {"no function 'head'", [](Manifest& m) { m.entries.pop_back(); }},
      {"no code for a single token", [](Manifest& m) { m.entries.erase(m.entries.begin()); }},
      {"no code for a single token", [](Manifest& m) { m.entries[2].ranges["seq"] = {2, 8, 1}; }},
      {"'tokens' of 'fake_forward_one' has another type",
       [](Manifest& m) { m.entries[0].parameters[2].dtype = DType::kI64; }},
      {"'hidden' of 'fake_forward_one' has another type",
       [](Manifest& m) { m.entries[0].parameters[3].extents[1].factor = 9; }},
      {"'logits' of 'fake_head' has another type", [](Manifest& m) { m.entries[2].parameters[0].layout = "<16@1>"; }},
      {"'mask' of 'fake_forward_one' is not known", [](Manifest& m) { m.entries[0].parameters[1].name = "mask"; }},
      {"'fake_forward_one' lacks 'positions'",
       [](Manifest& m) {
         for (int i : {0, 1})
           m.entries[static_cast<std::size_t>(i)].parameters.erase(
               m.entries[static_cast<std::size_t>(i)].parameters.begin() + 1);
       }},
      {"the state 'cache' of 'fake_forward_one' has no fixed size",
       [](Manifest& m) { m.entries[0].parameters[0].extents[0].symbol = "seq"; }},
      {"disagree about 'cache'", [](Manifest& m) { m.entries[0].parameters[0].dtype = DType::kI64; }},
      {"the dimension 'batch' is not known",
       [](Manifest& m) {
         m.symbols.push_back("batch");
         m.symbol_ranges["batch"] = {1, 8, 1};
       }},
      {"no context of 4096 tokens", [](Manifest& m) { m.symbol_ranges["ctx"].max = 1024; }},
      {"too large a multiple", [](Manifest& m) { m.symbol_ranges["ctx"] = {1, 1 << 30, 1 << 29}; }},
      {"no context length", [](Manifest& m) { m.max_context = 0; }},
      {"no hidden size or vocabulary", [](Manifest& m) { m.vocab_size = 0; }},
  };
  for (const auto& [message, change] : cases) {
    Manifest manifest = fake_manifest();
    change(manifest);
    SCOPED_TRACE(message);
    expect_error(ExitCode::kModel, {message}, [&] { open(manifest); });
  }
}

}  // namespace
}  // namespace strata::runtime
