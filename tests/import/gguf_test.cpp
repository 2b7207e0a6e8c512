// SPDX-License-Identifier: Apache-2.0
#include "import/gguf.h"

#include <gtest/gtest.h>

#include <functional>

#include "tests/base/expect_error.h"
#include "tests/import/gguf_bytes.h"

namespace strata::importer {
namespace {

using fixtures::array;
using fixtures::expect_error;
using fixtures::GgufBytes;
using fixtures::raw;
using fixtures::raw_string;
using fixtures::small_gguf;
using fixtures::value;

constexpr std::uint64_t kHuge = std::uint64_t{1} << 60;
constexpr const char* kTensor = "blk.0.attn_q.weight";

GgufContents gguf_of(const std::string& file) { return parse_gguf(std::as_bytes(std::span(file)), "file.gguf"); }

struct BadGgufFile {
  std::string name;
  std::string message;
  std::function<std::string()> make;
};

void PrintTo(const BadGgufFile& file, std::ostream* out) { *out << file.name; }

// small_gguf() with a change.
std::function<std::string()> edited(const std::function<void(GgufBytes&)>& edit) {
  return [edit] {
    GgufBytes file = small_gguf();
    edit(file);
    return file.text();
  };
}

// With one more key, whose value is as given.
std::function<std::string()> with_value(const std::string& bytes) {
  return edited([=](GgufBytes& file) { file.set("k", bytes); });
}

// Ends with that value: nothing follows.
std::function<std::string()> ends_in(const std::string& bytes) {
  return [=] {
    GgufBytes file;
    file.set("k", bytes);
    return file.head();
  };
}

std::function<std::string()> with_tensor(const std::function<void(GgufBytes::Tensor&)>& edit) {
  return edited([=](GgufBytes& file) { edit(file.tensor(kTensor)); });
}

std::function<std::string()> with_dims(const std::vector<std::uint64_t>& dims) {
  return with_tensor([=](GgufBytes::Tensor& tensor) { tensor.dims = dims; });
}

std::vector<BadGgufFile> bad_ggufs() {
  std::vector<BadGgufFile> files = {
      {"Empty", "not a GGUF file", [] { return std::string(); }},
      {"OneByte", "not a GGUF file", [] { return std::string("G"); }},
      {"OtherMagic", "not a GGUF file", edited([](GgufBytes& file) { file.magic = "GGML"; })},
      {"MagicAlone", "ends within its header", [] { return std::string("GGUF"); }},
      {"Version0", "version 0", edited([](GgufBytes& file) { file.version = 0; })},
      {"Version1", "version 1", edited([](GgufBytes& file) { file.version = 1; })},
      {"Version4", "version 4", edited([](GgufBytes& file) { file.version = 4; })},
      {"VersionOfAllOnes", "version 4294967295", edited([](GgufBytes& file) { file.version = ~0U; })},
      {"BigEndian", "big-endian", edited([](GgufBytes& file) { file.version = 3U << 24; })},
      {"OneKeyMore", "ends within", edited([](GgufBytes& file) { file.more_keys = 1; })},
      {"HugeKeyCount", "the file ends within", edited([](GgufBytes& file) { file.more_keys = kHuge; })},
      {"KeyCountOfAllOnes", "the file ends within",
       edited([](GgufBytes& file) { file.more_keys = ~std::uint64_t{0} - file.keys.size(); })},
      {"OneTensorMore", "tensor", edited([](GgufBytes& file) { file.more_tensors = 1; })},
      {"HugeTensorCount", "tensor", edited([](GgufBytes& file) { file.more_tensors = kHuge; })},
      {"EmptyKey", "of its metadata has 0 bytes", edited([](GgufBytes& file) { file.set("", value(1U)); })},
      {"LongKey", "of its metadata has 65536 bytes",
       edited([](GgufBytes& file) { file.set(std::string(65536, 'k'), value(1U)); })},
      {"KeyTwice", "\"general.architecture\" is there twice",
       edited([](GgufBytes& file) { file.keys.push_back({"general.architecture", value("qwen3")}); })},
      {"UnknownKind", "unknown kind 13", with_value(raw(13U) + raw(1U))},
      {"KindOfAllOnes", "unknown kind 4294967295", with_value(raw(~0U))},
      {"BoolOfTwo", "neither true nor false", with_value(value(GgufKind::kBool, std::uint8_t{2}))},
      {"BoolsOfTwo", "neither true nor false", with_value(array(7, 3, std::string("\0\1\2", 3)))},
      {"HugeString", "ends within the value of \"k\"", with_value(raw(8U) + raw(kHuge))},
      {"StringOfAllOnes", "ends within the value of \"k\"", with_value(raw(8U) + raw(~std::uint64_t{0}))},
      {"StringPastTheEnd", "ends within the value of \"k\"", ends_in(raw(8U) + raw<std::uint64_t>(4) + "abc")},
      {"StringWithoutLength", "ends within the value of \"k\"", ends_in(raw(8U) + raw(1U))},
      {"ArrayOfUnknownKind", "unknown kind 77", with_value(array(77, 1, raw(1U)))},
      {"ArrayOfArrays", "an array of arrays", with_value(array(9, 1, array(4, 1, raw(1U)).substr(4)))},
      {"ArraysNestedDeeply", "an array of arrays", with_value([] {
         std::string nested = raw(9U);
         for (int i = 0; i < 100'000; ++i) nested += raw(9U) + raw<std::uint64_t>(1);
         return nested;
       }())},
      {"ArrayOfHugeStrings", "ends within", with_value(array(8, 1, raw(kHuge)))},
      {"HugeArrayOfStrings", "ends within", with_value(array(8, kHuge, raw_string("a")))},
      {"StringArrayPastTheEnd", "ends within", ends_in(array(8, 2, raw_string("a")))},
      {"AlignmentZero", "\"general.alignment\", 0,",
       edited([](GgufBytes& file) { file.set("general.alignment", value(0U)); })},
      {"AlignmentNoPowerOfTwo", "\"general.alignment\", 48,",
       edited([](GgufBytes& file) { file.set("general.alignment", value(48U)); })},
      {"AlignmentTooLarge", "\"general.alignment\", 2147483648,",
       edited([](GgufBytes& file) { file.set("general.alignment", value(1U << 31)); })},
      {"AlignmentNegative", "\"general.alignment\", -32,",
       edited([](GgufBytes& file) { file.set("general.alignment", value(GgufKind::kI32, std::int32_t{-32})); })},
      {"AlignmentAString", "is not an integer",
       edited([](GgufBytes& file) { file.set("general.alignment", value("32")); })},
      {"AlignmentAnArray", "is not an integer",
       edited([](GgufBytes& file) { file.set("general.alignment", array({32})); })},
      {"AlignmentBeyondTheFile", "ends before its tensors", edited([](GgufBytes& file) {
         file.set("general.alignment", value(1U << 30));
         for (auto& tensor : file.tensors) tensor.offset = 0;
       })},
      {"TensorTwice", "\"blk.0.attn_q.weight\" is there twice", edited([](GgufBytes& file) {
         file.tensors.push_back(file.tensor(kTensor));
         file.place();
       })},
      {"NoDimensions", "has 0 dimensions", with_dims({})},
      {"FiveDimensions", "has 5 dimensions", with_dims({64, 64, 1, 1, 1})},
      {"ManyDimensions", "has 100000 dimensions", with_dims(std::vector<std::uint64_t>(100'000, 1))},
      {"NoElements", "has no elements", with_dims({64, 0})},
      {"HugeExtent", "lies outside of the file", with_dims({kHuge})},
      {"ExtentBeyondInt64", "is too large", with_dims({64, std::uint64_t{1} << 63})},
      {"ExtentOfAllOnes", "is too large", with_dims({~std::uint64_t{0}})},
      {"ElementsOverflow", "is too large", with_dims({kHuge, kHuge})},
      {"ElementsOverflowTo0", "is too large", with_dims({std::uint64_t{1} << 32, std::uint64_t{1} << 32})},
      {"BytesOverflow", "is too large", with_dims({std::uint64_t{1} << 62})},
      {"UnknownType", "the unknown type 99", with_tensor([](auto& tensor) { tensor.type = 99; })},
      {"RemovedType", "the unknown type 4", with_tensor([](auto& tensor) { tensor.type = 4; })},
      {"TypeOfAllOnes", "the unknown type 4294967295", with_tensor([](auto& tensor) { tensor.type = ~0U; })},
      {"RowsOfNoWholeBlocks", "no whole blocks of Q4_K", with_tensor([](auto& tensor) { tensor.type = 12; })},
      {"OffsetNotAligned", "no multiple of 32", with_tensor([](auto& tensor) { tensor.offset += 1; })},
      {"OffsetOfOtherAlignment", "no multiple of 65536",
       edited([](GgufBytes& file) { file.set("general.alignment", value(65536U)); })},
      {"OffsetPastTheEnd", "lies outside of the file", with_tensor([](auto& tensor) {
         tensor.offset = kHuge;
         tensor.bytes = -kHuge;
       })},
      {"OffsetPlusSizeOverflows", "lies outside of the file", with_tensor([](auto& tensor) {
         tensor.offset = ~std::uint64_t{31};
         tensor.bytes = 32;
       })},
      {"Overlap", "overlaps another one", with_tensor([](auto& tensor) { tensor.offset -= 32; })},
      {"OverlapExactly", "overlaps another one",
       edited([](GgufBytes& file) { file.tensor(kTensor).offset = file.tensor("blk.1.attn_q.weight").offset; })},
      {"AllAtZero", "overlaps another one", edited([](GgufBytes& file) {
         for (auto& tensor : file.tensors) tensor.offset = 0;
       })},
      {"DataOneByteShort", "lies outside of the file",
       [] {
         std::string text = small_gguf().text();
         text.pop_back();
         return text;
       }},
      {"NoData", "ends before its tensors", [] { return small_gguf().head(); }},
  };
  // Every number kind, cut off and in arrays too long.
  for (std::uint32_t kind = 0; kind <= 12; ++kind) {
    const std::size_t size = kind_size(static_cast<GgufKind>(kind));
    if (size == 0) continue;
    const std::string name = "Kind" + std::to_string(kind);
    files.push_back({name + "CutOff", "ends within", ends_in(raw(kind) + std::string(size - 1, '\0'))});
    files.push_back({name + "ArrayCutOff", "ends within", ends_in(array(kind, 2, std::string(size * 2 - 1, '\0')))});
    files.push_back({name + "HugeArray", "ends within", with_value(array(kind, kHuge, std::string(size, '\0')))});
    files.push_back({name + "ArrayOfAllOnes", "ends within", with_value(array(kind, ~std::uint64_t{0}, ""))});
  }
  return files;
}

class BadGguf : public ::testing::TestWithParam<BadGgufFile> {};
INSTANTIATE_TEST_SUITE_P(Files, BadGguf, ::testing::ValuesIn(bad_ggufs()),
                         [](const auto& test) { return test.param.name; });

TEST_P(BadGguf, IsRefused) {
  const std::string text = GetParam().make();
  expect_error(ExitCode::kModel, {GetParam().message, "file.gguf"}, [&] { gguf_of(text); });
}

// The tensors' last bytes are needed, so every shorter file is refused.
TEST(Gguf, EveryTruncationIsRefused) {
  const std::string text = small_gguf().text(), head = small_gguf().head();
  for (std::size_t size = 0; size < text.size(); size += size < head.size() ? 1 : 997) {
    expect_error(ExitCode::kModel, {"file.gguf"}, [&] { gguf_of(text.substr(0, size)); });
  }
}

// One byte of the header at a time: what is read still lies in the file.
TEST(Gguf, ChangedBytesAreRefusedOrHarmless) {
  const std::string text = small_gguf().text();
  for (std::size_t at = 0; at < small_gguf().head().size(); ++at) {
    for (const int change : {0x01, 0x80, 0xFF}) {
      std::string changed = text;
      changed[at] = static_cast<char>(changed[at] ^ change);
      try {
        const GgufContents contents = gguf_of(changed);
        for (const GgufTensor& tensor : contents.tensors) {
          const auto* begin = reinterpret_cast<const char*>(tensor.bytes.data());
          EXPECT_GE(begin, changed.data());
          EXPECT_LE(begin + tensor.bytes.size(), changed.data() + changed.size());
        }
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ExitCode::kModel);
      }
    }
  }
}

TEST(Gguf, TensorsAreReadInTheOrderOfTheirBytes) {
  GgufBytes file;
  file.tensors = {{"b", {3, 2}, 1, 32, 12}, {"a", {4}, 0, 0, 16}, {"q", {256, 2}, 12, 64, 288}};
  const std::string text = file.text();
  const GgufContents contents = gguf_of(text);
  ASSERT_EQ(contents.tensors.size(), 3U);
  EXPECT_EQ(contents.tensors[0].name, "a");
  EXPECT_EQ(contents.tensors[1].name, "b");
  EXPECT_EQ(contents.tensors[1].shape, (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(contents.tensors[1].type->name, "F16");
  EXPECT_EQ(contents.tensors[1].bytes.size(), 12U);
  EXPECT_EQ(contents.tensors[1].bytes[0], std::byte{32});
  EXPECT_EQ(contents.tensors[2].type->name, "Q4_K");
  EXPECT_EQ(contents.tensors[2].bytes.size(), 288U);
}

TEST(Gguf, Version2IsReadAlike) {
  GgufBytes file = small_gguf();
  file.version = 2;
  EXPECT_EQ(gguf_of(file.text()).tensors.size(), file.tensors.size());
}

TEST(Gguf, AnotherAlignmentCounts) {
  GgufBytes file = small_gguf();
  file.alignment = 4096;
  file.set("general.alignment", value(4096U));
  file.place();
  EXPECT_EQ(gguf_of(file.text()).tensors.back().bytes.size(), file.tensors.back().bytes);
}

TEST(Gguf, AFileWithoutTensorsNeedsNoData) { EXPECT_TRUE(gguf_of(GgufBytes().head()).tensors.empty()); }

TEST(Gguf, TypesThatStrataHasNoUseForAreRead) {
  GgufBytes file;
  file.tensors = {{"x", {256}, 16, 0, 66}};
  const std::string text = file.text();
  EXPECT_FALSE(gguf_of(text).tensors[0].type->is_supported());
}

TEST(GgufMetadata, AnswersByKind) {
  GgufBytes file;
  file.set("u8", value(GgufKind::kU8, std::uint8_t{200}));
  file.set("i8", value(GgufKind::kI8, std::int8_t{-3}));
  file.set("u16", value(GgufKind::kU16, std::uint16_t{60000}));
  file.set("i16", value(GgufKind::kI16, std::int16_t{-300}));
  file.set("u32", value(4000000000U));
  file.set("i64", value(GgufKind::kI64, std::int64_t{-5}));
  file.set("u64", value(GgufKind::kU64, std::uint64_t{7}));
  file.set("u64_large", value(GgufKind::kU64, ~std::uint64_t{0}));
  file.set("f32", value(1e-5F));
  file.set("f64", value(GgufKind::kF64, 0.1));
  file.set("true", value(true));
  file.set("text", value("words"));
  file.set("texts", array({"a", "", "bc"}));
  file.set("numbers", array({1, -2}));
  const std::string text = file.head();
  const GgufMetadata metadata = gguf_of(text).metadata;
  EXPECT_EQ(metadata.integer("u8"), 200);
  EXPECT_EQ(metadata.integer("i8"), -3);
  EXPECT_EQ(metadata.integer("u16"), 60000);
  EXPECT_EQ(metadata.integer("i16"), -300);
  EXPECT_EQ(metadata.integer("u32"), 4000000000);
  EXPECT_EQ(metadata.integer("i64"), -5);
  EXPECT_EQ(metadata.integer("u64"), 7);
  EXPECT_EQ(metadata.integer("nosuch"), std::nullopt);
  EXPECT_EQ(metadata.number("f32"), 1e-5);  // not the f64 of the f32
  EXPECT_EQ(metadata.number("f64"), 0.1);
  EXPECT_EQ(metadata.number("u8"), 200.0);
  EXPECT_EQ(metadata.boolean("true"), true);
  EXPECT_EQ(metadata.text("text"), "words");
  EXPECT_EQ(metadata.texts("texts"), (std::vector<std::string_view>{"a", "", "bc"}));
  EXPECT_EQ(metadata.integers("numbers"), (std::vector<std::int64_t>{1, -2}));
  const auto refused = [&](const std::string& key, const std::function<void()>& question) {
    expect_error(ExitCode::kModel, {in_quotes(key), "is not", "file.gguf"}, question);
  };
  refused("text", [&] { metadata.integer("text"); });
  refused("f32", [&] { metadata.integer("f32"); });
  refused("u64_large", [&] { metadata.integer("u64_large"); });
  refused("numbers", [&] { metadata.integer("numbers"); });
  refused("u8", [&] { metadata.boolean("u8"); });
  refused("u8", [&] { metadata.text("u8"); });
  refused("text", [&] { metadata.number("text"); });
  refused("numbers", [&] { metadata.texts("numbers"); });
  refused("text", [&] { metadata.texts("text"); });
  refused("texts", [&] { metadata.integers("texts"); });
}

}  // namespace
}  // namespace strata::importer
