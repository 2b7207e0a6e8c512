// SPDX-License-Identifier: Apache-2.0
#include "import/gguf_metadata.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/error.h"

namespace strata::importer {
namespace {

template <class T>
T load(const std::byte* at) {
  T value{};
  std::memcpy(&value, at, sizeof(value));
  return value;
}

// Nothing of a kind that is no integer, or of a number that int64 doesn't have.
std::optional<std::int64_t> load_integer(GgufKind kind, const std::byte* at) {
  switch (kind) {
    case GgufKind::kU8:
      return load<std::uint8_t>(at);
    case GgufKind::kI8:
      return load<std::int8_t>(at);
    case GgufKind::kU16:
      return load<std::uint16_t>(at);
    case GgufKind::kI16:
      return load<std::int16_t>(at);
    case GgufKind::kU32:
      return load<std::uint32_t>(at);
    case GgufKind::kI32:
      return load<std::int32_t>(at);
    case GgufKind::kI64:
      return load<std::int64_t>(at);
    case GgufKind::kU64: {
      const auto value = load<std::uint64_t>(at);
      if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return std::nullopt;
      return static_cast<std::int64_t>(value);
    }
    default:
      return std::nullopt;
  }
}

double shortest(float value) {
  if (!std::isfinite(value)) return static_cast<double>(value);
  std::array<char, 64> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  double result = 0;
  std::from_chars(text.data(), end, result);
  return result;
}

// The strings of an array; the file was checked when it was parsed.
std::vector<std::string_view> load_strings(const GgufValue& value) {
  std::vector<std::string_view> strings;
  strings.reserve(value.count);
  const std::byte* at = value.bytes.data();
  for (std::uint64_t i = 0; i < value.count; ++i) {
    const auto length = static_cast<std::size_t>(load<std::uint64_t>(at));
    at += sizeof(std::uint64_t);
    strings.emplace_back(reinterpret_cast<const char*>(at), length);
    at += length;
  }
  return strings;
}

}  // namespace

std::size_t kind_size(GgufKind kind) {
  switch (kind) {
    case GgufKind::kU8:
    case GgufKind::kI8:
    case GgufKind::kBool:
      return 1;
    case GgufKind::kU16:
    case GgufKind::kI16:
      return 2;
    case GgufKind::kU32:
    case GgufKind::kI32:
    case GgufKind::kF32:
      return 4;
    case GgufKind::kU64:
    case GgufKind::kI64:
    case GgufKind::kF64:
      return 8;
    case GgufKind::kString:
    case GgufKind::kArray:
      break;
  }
  return 0;
}

void GgufMetadata::fail(const std::string& what) const {
  throw model_error(what, origin_, "download or convert the file again");
}

void GgufMetadata::missing(const std::string& key) const { fail("the key " + in_quotes(key) + " is missing"); }

void GgufMetadata::refuse(const std::string& key, const std::string& expected) const {
  fail("the value of " + in_quotes(key) + " is not " + expected);
}

const GgufValue* GgufMetadata::find(const std::string& key, bool is_array, const char* expected) const {
  const auto found = values_.find(key);
  if (found == values_.end()) return nullptr;
  if (found->second.is_array != is_array) refuse(key, expected);
  return &found->second;
}

std::optional<std::int64_t> GgufMetadata::integer(const std::string& key) const {
  constexpr const char* kExpected = "an integer";
  const GgufValue* value = find(key, false, kExpected);
  if (value == nullptr) return std::nullopt;
  const auto integer = load_integer(value->kind, value->bytes.data());
  if (!integer) refuse(key, kExpected);
  return integer;
}

std::optional<bool> GgufMetadata::boolean(const std::string& key) const {
  constexpr const char* kExpected = "true or false";
  const GgufValue* value = find(key, false, kExpected);
  if (value == nullptr) return std::nullopt;
  if (value->kind != GgufKind::kBool) refuse(key, kExpected);
  return value->bytes[0] != std::byte{0};
}

std::optional<std::string> GgufMetadata::text(const std::string& key) const {
  constexpr const char* kExpected = "a string";
  const GgufValue* value = find(key, false, kExpected);
  if (value == nullptr) return std::nullopt;
  if (value->kind != GgufKind::kString) refuse(key, kExpected);
  return std::string(load_strings(*value)[0]);
}

std::optional<double> GgufMetadata::number(const std::string& key) const {
  constexpr const char* kExpected = "a number";
  const GgufValue* value = find(key, false, kExpected);
  if (value == nullptr) return std::nullopt;
  if (value->kind == GgufKind::kF32) return shortest(load<float>(value->bytes.data()));
  if (value->kind == GgufKind::kF64) return load<double>(value->bytes.data());
  const auto integer = load_integer(value->kind, value->bytes.data());
  if (!integer) refuse(key, kExpected);
  return static_cast<double>(*integer);
}

std::optional<std::vector<std::string_view>> GgufMetadata::texts(const std::string& key) const {
  constexpr const char* kExpected = "a list of strings";
  const GgufValue* value = find(key, true, kExpected);
  if (value == nullptr) return std::nullopt;
  if (value->kind != GgufKind::kString) refuse(key, kExpected);
  return load_strings(*value);
}

std::optional<std::vector<std::int64_t>> GgufMetadata::integers(const std::string& key) const {
  constexpr const char* kExpected = "a list of integers";
  const GgufValue* value = find(key, true, kExpected);
  if (value == nullptr) return std::nullopt;
  std::vector<std::int64_t> integers;
  const std::size_t size = kind_size(value->kind);
  for (std::uint64_t i = 0; i < value->count; ++i) {
    const auto integer = load_integer(value->kind, value->bytes.data() + i * size);
    if (!integer) refuse(key, kExpected);
    integers.push_back(*integer);
  }
  return integers;
}

std::optional<std::vector<double>> GgufMetadata::numbers(const std::string& key) const {
  constexpr const char* kExpected = "a list of numbers";
  const GgufValue* value = find(key, true, kExpected);
  if (value == nullptr) return std::nullopt;
  if (value->kind != GgufKind::kF32 && value->kind != GgufKind::kF64) refuse(key, kExpected);
  std::vector<double> numbers;
  const std::size_t size = kind_size(value->kind);
  for (std::uint64_t i = 0; i < value->count; ++i) {
    const std::byte* at = value->bytes.data() + i * size;
    numbers.push_back(value->kind == GgufKind::kF32 ? load<float>(at) : load<double>(at));
  }
  return numbers;
}

}  // namespace strata::importer
