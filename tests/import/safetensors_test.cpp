// SPDX-License-Identifier: Apache-2.0
#include "import/safetensors.h"

#include <gtest/gtest.h>

#include <functional>

#include "import/checkpoint.h"
#include "tests/base/expect_error.h"
#include "tests/import/checkpoint_files.h"

namespace strata::importer {
namespace {

using strata::fixtures::body_bytes;
using strata::fixtures::CheckpointFolder;
using strata::fixtures::expect_error;
using strata::fixtures::header_of;
using strata::fixtures::Json;
using strata::fixtures::safetensors;
using strata::fixtures::small_tensors;
using strata::fixtures::with_length;

constexpr const char* kFirst = "model.layers.0.self_attn.q_proj.weight";
constexpr const char* kSecond = "model.layers.0.self_attn.k_proj.weight";

SafetensorsHeader parse(const std::string& file) {
  return parse_safetensors(std::as_bytes(std::span(file)), "file.safetensors");
}

struct BadFile {
  std::string name;
  std::string message;
  std::function<std::string()> make;
};

void PrintTo(const BadFile& file, std::ostream* out) { *out << file.name; }

// The file of small_tensors() with a changed header, its body as long as before.
std::function<std::string()> edited(const std::function<void(Json&)>& edit) {
  return [edit] {
    Json header = header_of(small_tensors());
    const std::int64_t body = body_bytes(header);
    edit(header);
    return safetensors(header.dump(), body);
  };
}
std::function<std::string()> with(const std::string& tensor, const std::string& key, const Json& value) {
  return edited([=](Json& header) { header[tensor][key] = value; });
}
std::function<std::string()> literal(const std::string& text) {
  return [text] { return text; };
}
std::function<std::string()> header_text(const std::string& text, std::int64_t body = 0) {
  return [=] { return safetensors(text, body); };
}
std::string repeat(const std::string& text, int count) {
  std::string result;
  for (int i = 0; i < count; ++i) result += text;
  return result;
}
std::string good() { return safetensors(header_of(small_tensors())); }

std::vector<BadFile> bad_files() {
  const std::string tensor = R"("a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]})";
  return {
      {"Empty", "too short", literal("")},
      {"SevenBytes", "too short", literal("1234567")},
      {"LengthPastTheEnd", "header of 1099511627776 bytes", literal(with_length(1ULL << 40, "{}"))},
      {"LengthOfAllOnes", "header of 18446744073709551615 bytes", literal(with_length(~0ULL, "{}"))},
      {"LengthOverTheLimit", "header of 100000001 bytes", literal(with_length(100'000'001, "{}"))},
      {"LengthSlightlyPastTheEnd", "ends within its header", literal(with_length(3, "{}"))},
      {"LengthZero", "not a JSON object", literal(with_length(0, ""))},
      {"NotJson", "not a JSON object", header_text("hello world")},
      {"JsonArray", "not a JSON object", header_text("[1,2]")},
      {"LeadingSpace", "not a JSON object", header_text(" {}")},
      {"Nested", "unknown field", header_text(repeat("{\"a\":", 100'000))},
      {"NestedArrays", "where it must not", header_text("{\"a\":{\"shape\":" + repeat("[", 1'000'000))},
      {"TruncatedBody", "ends at byte", [] { return good().substr(0, good().size() - 1000); }},
      {"TruncatedInHeader", "ends within its header", [] { return good().substr(0, 500); }},
      {"TrailingBytes", "64 bytes at the end belong to no tensor", [] { return good() + std::string(64, 'x'); }},
      {"OffsetsReversed", "ends before it begins", with(kFirst, "data_offsets", {4096, 0})},
      {"OffsetsPastTheEnd", "ends at byte 1125899906842624", with(kFirst, "data_offsets", {0, 1LL << 50})},
      {"OffsetsNegative", "negative number -16", with(kFirst, "data_offsets", {-16, 16})},
      {"OffsetsNotAPair", "no pair of data_offsets", with(kFirst, "data_offsets", {1})},
      {"OffsetsThree", "more than two data_offsets", with(kFirst, "data_offsets", {1, 2, 3})},
      {"OffsetsStrings", "holds a string", with(kFirst, "data_offsets", {"0", "1"})},
      {"OffsetsFloats", "the number 0.0", with(kFirst, "data_offsets", {0.0, 16384.0})},
      {"OffsetsHuge", "the number 36893488147419103232",
       header_text(R"({"a":{"data_offsets":[0,36893488147419103232]}})")},
      {"OffsetsAnObject", "holds an object", with(kFirst, "data_offsets", Json::object())},
      {"OffsetsNull", "holds null", with(kFirst, "data_offsets", nullptr)},
      {"Overlap", "\"b\" overlaps",
       header_text("{" + tensor + R"(,"b":{"dtype":"F16","shape":[2],"data_offsets":[2,6]}})", 6)},
      {"OverlapExactly", "overlaps",
       header_text("{" + tensor + R"(,"b":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}})", 4)},
      {"OverlapOfAnotherSize", "needs 16384 bytes",
       edited([](Json& h) { h[kFirst]["data_offsets"] = h[kSecond]["data_offsets"]; })},
      {"Hole", "a hole before the tensor", edited([](Json& h) { h.erase(kFirst); })},
      {"ShapeOverflows", "is too large", with(kFirst, "shape", {1LL << 40, 1LL << 40})},
      {"ShapeOverflowsInBits", "is too large", with(kFirst, "shape", {1LL << 60})},
      {"ShapeNegative", "negative number -64", with(kFirst, "shape", {-64, -64})},
      {"ShapeBeyondInt64", "too large", with(kFirst, "shape", {18446744073709551615ULL})},
      {"ShapeNotMatchingOffsets", "needs 16640 bytes", with(kFirst, "shape", {64, 65})},
      {"ShapeFloat", "the number 64.5", with(kFirst, "shape", {64.5, 64})},
      {"ShapeBoolean", "a boolean", with(kFirst, "shape", {true})},
      {"ShapeNested", "an array", with(kFirst, "shape", Json::array({Json::array()}))},
      {"ShapeANumber", "a number", with(kFirst, "shape", 4096)},
      {"ShapeOfManyDimensions", "too many dimensions", with(kFirst, "shape", std::vector<int>(65, 1))},
      {"DtypeUnknown", "unknown dtype \"Q99\"", with(kFirst, "dtype", "Q99")},
      {"DtypeANumber", "a number", with(kFirst, "dtype", 32)},
      {"DtypeAList", "an array", with(kFirst, "dtype", {"F32"})},
      {"DtypeMissing", "has no dtype", edited([](Json& h) { h[kFirst].erase("dtype"); })},
      {"ShapeMissing", "has no shape", edited([](Json& h) { h[kFirst].erase("shape"); })},
      {"OffsetsMissing", "no pair of data_offsets", edited([](Json& h) { h[kFirst].erase("data_offsets"); })},
      {"FieldUnknown", "unknown field \"strides\"", with(kFirst, "strides", {1})},
      {"FieldTwice", "\"dtype\" twice",
       header_text(R"({"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4)},
      {"TensorTwice", "\"a\" is there twice", header_text("{" + tensor + "," + tensor + "}", 4)},
      {"TensorNotAnObject", "holds a number", edited([](Json& h) { h["x"] = 5; })},
      {"TensorAList", "holds an array", edited([](Json& h) { h["x"] = Json::array(); })},
      {"MetadataNotAnObject", "holds a string", edited([](Json& h) { h["__metadata__"] = "pt"; })},
      {"MetadataOfNumbers", "holds a number", edited([](Json& h) { h["__metadata__"]["n"] = 5; })},
      {"MetadataNested", "holds an object", edited([](Json& h) { h["__metadata__"]["n"] = Json::object(); })},
      {"MetadataKeyTwice", "twice in __metadata__", header_text(R"({"__metadata__":{"a":"1","a":"2"}})")},
      {"InvalidUtf8", "not valid JSON", header_text("{\"\xff\":{}}")},
      {"TwoDocuments", "not valid JSON", header_text("{}{}")},
      {"NotClosed", "not valid JSON", header_text("{" + tensor)},
      {"OddBits", "is too large", header_text(R"({"a":{"dtype":"F4","shape":[1],"data_offsets":[0,1]}})", 1)},
  };
}

class BadSafetensors : public ::testing::TestWithParam<BadFile> {};
INSTANTIATE_TEST_SUITE_P(Files, BadSafetensors, ::testing::ValuesIn(bad_files()),
                         [](const auto& test) { return test.param.name; });

TEST_P(BadSafetensors, IsRefused) {
  const CheckpointFolder folder;
  folder.write("model.safetensors", GetParam().make());
  expect_error(ExitCode::kModel, {GetParam().message, "model.safetensors"}, [&] { Checkpoint::open(folder.path()); });
}

TEST(Safetensors, ReadsTensorsInTheOrderOfTheirBytes) {
  const SafetensorsHeader header = parse(safetensors(
      R"({"b":{"dtype":"BF16","shape":[2,3],"data_offsets":[4,16]},"__metadata__":{"k":"v"},)"
      R"("scalar":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"none":{"shape":[0,7],"dtype":"F16","data_offsets":[16,16]}})",
      16));
  ASSERT_EQ(header.entries.size(), 3U);
  EXPECT_EQ(header.entries[0].name, "scalar");
  EXPECT_TRUE(header.entries[0].shape.empty());
  EXPECT_EQ(header.entries[1].name, "b");
  EXPECT_EQ(header.entries[1].dtype, DType::kBF16);
  EXPECT_EQ(header.entries[1].shape, (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(header.entries[1].begin, 4U);
  EXPECT_EQ(header.entries[1].end, 16U);
  EXPECT_EQ(header.entries[2].name, "none");
}

TEST(Safetensors, OtherTypesOfTheFormatAreRead) {
  const SafetensorsHeader header = parse(safetensors(
      R"({"a":{"dtype":"F64","shape":[2],"data_offsets":[0,16]},"b":{"dtype":"F4","shape":[4],"data_offsets":[16,18]}})",
      18));
  EXPECT_FALSE(header.entries[0].dtype);
  EXPECT_EQ(header.entries[0].dtype_name, "F64");
  EXPECT_EQ(header.entries[1].dtype_name, "F4");
}

TEST(Safetensors, NoTensorsAtAllIsAFile) { EXPECT_TRUE(parse(safetensors("{}", 0)).entries.empty()); }

TEST(Safetensors, TrailingSpacesPadTheHeader) { EXPECT_TRUE(parse(safetensors("{}      ", 0)).entries.empty()); }

TEST(Safetensors, ManyTensorsAreRead) {
  std::string header = "{";
  for (int i = 0; i < 50'000; ++i) {
    header += (i == 0 ? "\"t" : ",\"t") + std::to_string(i) + R"(":{"dtype":"U8","shape":[1],"data_offsets":[)" +
              std::to_string(i) + "," + std::to_string(i + 1) + "]}";
  }
  const SafetensorsHeader parsed = parse(safetensors(header + "}", 50'000));
  ASSERT_EQ(parsed.entries.size(), 50'000U);
  EXPECT_EQ(parsed.entries.back().name, "t49999");
}

TEST(Safetensors, BytesAreThoseOfTheFile) {
  const CheckpointFolder folder;
  const SafetensorsFile file = SafetensorsFile::open(folder.path() / "model.safetensors");
  const SafetensorsEntry* entry = file.find(kSecond);
  ASSERT_NE(entry, nullptr);
  const auto bytes = file.bytes(*entry);
  EXPECT_EQ(bytes.size(), 32U * 64 * 4);
  EXPECT_EQ(bytes[5], strata::fixtures::body_byte(entry->begin + 5));
  EXPECT_EQ(file.find("nosuch"), nullptr);
}

}  // namespace
}  // namespace strata::importer
