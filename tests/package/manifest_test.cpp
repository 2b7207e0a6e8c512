// SPDX-License-Identifier: Apache-2.0
#include "package/manifest.h"

#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "tests/base/expect_error.h"
#include "tests/package/small_manifest.h"

namespace strata::package {
namespace {

using nlohmann::json;
using strata::fixtures::expect_error;
using strata::fixtures::small_manifest;

Manifest parse(const std::string& text) { return manifest_from_json(text, "m.strata"); }

TEST(Manifest, EveryFieldIsWrittenAndRead) {
  const std::string text = to_json(small_manifest());
  const Manifest read = parse(text);
  EXPECT_EQ(to_json(read), text);
  EXPECT_EQ(read.model_type, "qwen3 0.6B BF16");
  EXPECT_EQ(read.features, (std::vector<std::string>{"avx2", "fma"}));
  EXPECT_EQ(read.symbol_ranges.at("past").max, 4096);
  ASSERT_EQ(read.entries.size(), 1U);
  EXPECT_EQ(read.entries[0].parameters[1].kind, Parameter::Kind::kState);
  EXPECT_EQ(read.entries[0].parameters[1].extents[1].symbol, "past");
  EXPECT_EQ(read.entries[0].ranges.at("seq").max, 1);
  EXPECT_EQ(read.weights[0].dtype, DType::kBF16);
  EXPECT_EQ(read.weights[1].shape, (std::vector<std::int64_t>{8}));
}

// A field that is added to a struct and forgotten in the list of fields would be lost.
TEST(Manifest, NamesEveryField) {
  const json document = json::parse(to_json(small_manifest()));
  EXPECT_EQ(document.size(), 25U);
  EXPECT_EQ(document["entries"][0].size(), 7U);
  EXPECT_EQ(document["entries"][0]["parameters"][0].size(), 5U);
  EXPECT_EQ(document["weights"][0].size(), 6U);
  for (const auto& [key, value] : document.items()) {
    EXPECT_FALSE(value.empty() || value == 0) << key << " has no value of its own";
  }
}

TEST(Manifest, KeysAreSorted) {
  const std::string text = to_json(small_manifest());
  EXPECT_LT(text.find("\"architecture\""), text.find("\"compiler\""));
  EXPECT_LT(text.find("\"vocab_size\""), text.find("\"weight_bytes\""));
}

TEST(Manifest, ANameThatIsNotUtf8IsWrittenReadably) {
  Manifest manifest = small_manifest();
  manifest.model_name =
      "mod\xff"
      "el";
  EXPECT_EQ(parse(to_json(manifest)).model_name,
            "mod\xef\xbf\xbd"
            "el");
}

struct BadManifest {
  std::string name;
  std::string message;
  std::function<void(json&)> edit;
};
void PrintTo(const BadManifest& manifest, std::ostream* out) { *out << manifest.name; }

std::vector<BadManifest> bad_manifests() {
  const auto set = [](const char* pointer, const json& value) {
    return [=](json& m) { m[json::json_pointer(pointer)] = value; };
  };
  return {
      {"FieldMissing", "\"layers\" is missing", [](json& m) { m.erase("layers"); }},
      {"FieldUnknown", "unknown fields", set("/nosuch", 1)},
      {"FieldUnknownInside", "unknown fields", set("/weights/0/nosuch", 1)},
      {"NotAnObject", "a JSON object is needed", [](json& m) { m = json::array(); }},
      {"NumberNegative", "\"layers\"", set("/layers", -1)},
      {"NumberHuge", "\"layers\"", set("/layers", 18446744073709551615ULL)},
      {"NumberAsText", "\"layers\"", set("/layers", "2")},
      {"TextAsNumber", "\"producer\"", set("/producer", 5)},
      {"ListAsObject", "\"features\"", set("/features", json::object())},
      {"ListOfOthers", "\"features\"", set("/features", {1})},
      {"DtypeUnknown", "\"dtype\"", set("/weights/0/dtype", "f8")},
      {"KindUnknown", "\"kind\"", set("/entries/0/parameters/0/kind", "inout")},
      {"EntryNotAnObject", "a JSON object is needed", set("/entries/0", 3)},
      {"EntrySymbolNotAnIdentifier", "an entry's name", set("/entries/0/symbol", "a;b")},
      {"EntrySymbolStartsWithDigit", "an entry's name", set("/entries/0/symbol", "1a")},
      {"EntryFunctionEmpty", "an entry's name", set("/entries/0/function", "")},
      {"RangeEmpty", "the range of \"seq\"", set("/symbol_ranges/seq/min", 513)},
      {"RangeOfEntryEmpty", "the range of \"seq\"", set("/entries/0/ranges/seq/max", 0)},
      {"RangeMultipleZero", "\"multiple\"", set("/symbol_ranges/seq/multiple", 0)},
      {"RangeOfUnknownSymbol", "unknown symbol \"n\"",
       set("/entries/0/ranges/n", {{"min", 1}, {"max", 1}, {"multiple", 1}})},
      {"ExtentOfUnknownSymbol", "unknown symbol \"n\"", set("/entries/0/parameters/0/extents/0/symbol", "n")},
      {"ExtentZero", "\"factor\"", set("/entries/0/parameters/0/extents/0/factor", 0)},
      {"ExtentOverflows", "is too large", set("/entries/0/parameters/1/extents/0/factor", std::int64_t{1} << 55)},
      {"SymbolTwice", "a symbol is there twice", set("/symbols", {"seq", "seq"})},
      {"SymbolWithoutRange", "differ", set("/symbols", {"seq", "other"})},
      {"SymbolMissing", "differ", set("/symbols", {"seq"})},
      {"ArenaUnaligned", "the arena", set("/entries/0/arena_bytes", 129)},
      {"ArenaHuge", "the arena", set("/entries/0/arena_bytes", std::int64_t{1} << 50)},
      {"ScratchUnaligned", "the scratch memory", set("/entries/0/scratch_bytes", 65)},
      {"ScratchHuge", "the scratch memory", set("/entries/0/scratch_bytes", std::int64_t{1} << 50)},
      {"ArenaBelowItsBound", "the arena", set("/entries/0/arena_lower_bound", 200)},
      {"WeightTwice", "\"a\" is there twice", set("/weights/1/name", "a")},
      {"WeightSmallerThanItsShape", "fewer bytes", set("/weights/0/shape", {64})},
      {"WeightShapeOverflows", "fewer bytes", set("/weights/0/shape", {std::int64_t{1} << 40, std::int64_t{1} << 40})},
      {"WeightShapeNegative", "\"shape\"", set("/weights/0/shape", {-1})},
      {"WeightOffsetNegative", "\"offset\"", set("/weights/0/offset", -64)},
  };
}

class BadManifestTest : public ::testing::TestWithParam<BadManifest> {};
INSTANTIATE_TEST_SUITE_P(Manifests, BadManifestTest, ::testing::ValuesIn(bad_manifests()),
                         [](const auto& test) { return test.param.name; });

TEST_P(BadManifestTest, IsRefused) {
  json document = json::parse(to_json(small_manifest()));
  GetParam().edit(document);
  expect_error(ExitCode::kModel, {GetParam().message, "m.strata"}, [&] { parse(document.dump()); });
}

TEST(Manifest, MalformedJsonIsRefused) {
  expect_error(ExitCode::kModel, {"not valid JSON", "m.strata"}, [] { parse("{"); });
  expect_error(ExitCode::kModel, {"nested deeper", "m.strata"}, [] { parse(std::string(100'000, '[')); });
}

}  // namespace
}  // namespace strata::package
