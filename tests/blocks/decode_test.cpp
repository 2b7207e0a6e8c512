// SPDX-License-Identifier: Apache-2.0
#include "blocks/decode.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <fstream>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "base/hash.h"

namespace strata::blocks {
namespace {

constexpr std::uint64_t kFnvBasis = 0xCBF29CE484222325ULL, kFnvPrime = 0x100000001B3ULL;

std::uint64_t fnv1a(std::span<const std::byte> bytes) {
  std::uint64_t value = kFnvBasis;
  for (const std::byte byte : bytes) value = (value ^ static_cast<std::uint64_t>(byte)) * kFnvPrime;
  return value;
}

// As tests/tools/gguf_file.py makes them: the output of splitmix64, the numbers of f16 finite.
std::vector<std::byte> random_blocks(const Format& format, int count) {
  std::uint64_t state = fnv1a(std::as_bytes(std::span(format.name)));
  std::vector<std::byte> blocks(static_cast<std::size_t>(count) * static_cast<std::size_t>(format.bytes));
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    if (i % 8 == 0) state += 0x9E3779B97F4A7C15ULL;
    std::uint64_t z = state;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    z ^= z >> 31;
    blocks[i] = static_cast<std::byte>(z >> (8 * (i % 8)));
  }
  for (int block = 0; block < count; ++block) {
    std::byte* const at = blocks.data() + static_cast<std::ptrdiff_t>(block) * format.bytes;
    if (format.scale.number == NumberFormat::kF16) at[format.scale.first + 1] &= std::byte{0xBF};
    if (format.has_offset != Offset::kNone) at[format.offset.first + 1] &= std::byte{0xBF};
  }
  return blocks;
}

std::vector<float> decoded(const Format& format, std::span<const std::byte> blocks) {
  const auto count = static_cast<std::int64_t>(blocks.size()) / format.bytes;
  std::vector<float> values(static_cast<std::size_t>(count * format.elements));
  decode(format, blocks.data(), count, values.data());
  return values;
}

std::string first_bits(std::span<const float> values) {
  std::string text;
  for (const float value : values.first(8)) text += " " + hex(std::bit_cast<std::uint32_t>(value)).substr(8);
  return text;
}

const Format& format_named(std::string_view name) {
  for (const Format& format : all_formats()) {
    if (format.name == name) return format;
  }
  throw std::out_of_range(std::string(name));
}

TEST(Decode, GivesTheValuesOfTheDefinition) {
  std::ifstream golden(STRATA_GOLDEN);
  std::size_t seen = 0;
  for (std::string line; std::getline(golden, line);) {
    if (line.starts_with('#')) continue;
    std::istringstream words(line);
    std::string name, hash, rest;
    words >> name >> hash;
    std::getline(words, rest);
    const Format& format = format_named(name);
    const std::vector<float> values = decoded(format, random_blocks(format, 64));
    EXPECT_EQ(first_bits(values), rest) << name;
    EXPECT_EQ(hex(fnv1a(std::as_bytes(std::span(values)))), hash) << name;
    ++seen;
  }
  EXPECT_EQ(seen, all_formats().size());
}

void mark(const BitField& field, std::vector<int>& uses) {
  const auto& [outer, middle, inner] = field.digits;
  for (int i = 0; field.width > 0 && i < field.count(); ++i) {
    const int bit = field.first + i / (middle.extent * inner.extent) * outer.stride +
                    i / inner.extent % middle.extent * middle.stride + i % inner.extent * inner.stride;
    EXPECT_EQ(bit / 8, (bit + field.width - 1) / 8) << "bits of an item cross bytes";
    for (int b = 0; b < field.width; ++b) ++uses.at(static_cast<std::size_t>(bit + b));
  }
}

void mark(const Integers& integers, std::vector<int>& uses) {
  mark(integers.low, uses);
  mark(integers.high, uses);
}

void mark(const GroupNumbers& numbers, int groups, std::vector<int>& uses) {
  const int bytes = numbers.number == NumberFormat::kF16 ? 2 : 1;
  for (int g = 0; g < (numbers.stride == 0 ? 1 : groups); ++g) {
    for (int bit = 0; bit < bytes * 8; ++bit) {
      ++uses.at(static_cast<std::size_t>((numbers.first + g * numbers.stride) * 8 + bit));
    }
  }
  if (numbers.integers) mark(*numbers.integers, uses);
}

TEST(Formats, HaveAUseForEachBitOfABlock) {
  for (const Format& format : all_formats()) {
    SCOPED_TRACE(format.name);
    std::vector<int> uses(static_cast<std::size_t>(format.bytes) * 8);
    mark(format.codes, uses);
    mark(format.scale, format.groups(), uses);
    if (format.has_offset != Offset::kNone) mark(format.offset, format.groups(), uses);
    EXPECT_EQ(uses, std::vector<int>(uses.size(), 1));
  }
}

TEST(Formats, CountAlike) {
  for (const Format& format : all_formats()) {
    SCOPED_TRACE(format.name);
    EXPECT_EQ(format.codes.count(), format.elements);
    EXPECT_TRUE(format.codes.high.width == 0 || format.codes.high.count() == format.elements);
    EXPECT_EQ(format.elements % format.group, 0);
    EXPECT_LE(format.elements, kMaxElements);
    EXPECT_LE(format.groups(), kMaxGroups);
    for (const GroupNumbers* numbers : {&format.scale, &format.offset}) {
      if (!numbers->integers) continue;
      EXPECT_EQ(numbers->integers->count(), format.groups());
      EXPECT_TRUE(numbers->integers->high.width == 0 || numbers->integers->high.count() == format.groups());
    }
  }
}

// Random blocks have each of them and no others.
TEST(Formats, SayWhichNumbersTheirIntegersAre) {
  for (const Format& format : all_formats()) {
    SCOPED_TRACE(format.name);
    for (const auto& integers : {std::optional(format.codes), format.scale.integers, format.offset.integers}) {
      if (!integers) continue;
      const std::vector<std::byte> blocks = random_blocks(format, 4096);
      std::vector<std::int8_t> found(static_cast<std::size_t>(integers->count()));
      std::set<std::int8_t> all;
      for (std::size_t at = 0; at < blocks.size(); at += static_cast<std::size_t>(format.bytes)) {
        unpack(*integers, blocks.data() + at, found);
        all.insert(found.begin(), found.end());
      }
      EXPECT_EQ(numbers_of(*integers), std::vector(all.begin(), all.end()));
    }
  }
}

TEST(Formats, HaveNamesOfTheirOwn) {
  for (const Format& format : all_formats()) EXPECT_EQ(&format_named(format.name), &format);
}

TEST(Formats, KeepTheirValuesInTheirType) {
  for (const Format& format : all_formats()) {
    if (format.dtype != DType::kBF16) continue;
    for (const float value : decoded(format, random_blocks(format, 64))) {
      if (std::isfinite(value)) {
        EXPECT_EQ(std::bit_cast<std::uint32_t>(value) & 0xFFFFU, 0U) << format.name << " " << value;
      }
    }
  }
}

}  // namespace
}  // namespace strata::blocks
