// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace strata::importer {

// The kinds of metadata values, by their numbers in the format.
enum class GgufKind : std::uint32_t {
  kU8,
  kI8,
  kU16,
  kI16,
  kU32,
  kI32,
  kF32,
  kBool,
  kString,
  kArray,
  kU64,
  kI64,
  kF64
};

// Bytes of a value of this kind; 0 of strings and arrays, whose sizes differ.
std::size_t kind_size(GgufKind kind);

// A value where it lies in the file: of an array its elements, one after another; a string has its length in front.
struct GgufValue {
  GgufKind kind = GgufKind::kU8;  // of an array, that of its elements
  bool is_array = false;
  std::uint64_t count = 1;
  std::span<const std::byte> bytes;
};

// The metadata of a GGUF file. A question for a value of a kind that can't answer it is a model_error that names the
// key and the file.
class GgufMetadata {
 public:
  GgufMetadata() = default;
  explicit GgufMetadata(std::string origin) : origin_(std::move(origin)) {}

  // False when the key is there already. The value's bytes must be what its kind says.
  bool insert(std::string_view key, const GgufValue& value) { return values_.emplace(key, value).second; }

  bool has(const std::string& key) const { return values_.contains(key); }
  std::size_t size() const { return values_.size(); }

  // Nothing where the key is missing.
  std::optional<std::int64_t> integer(const std::string& key) const;
  std::optional<bool> boolean(const std::string& key) const;
  std::optional<std::string> text(const std::string& key) const;
  // A number of f32 is that of the shortest decimal that rounds to it: what config.json said, where it said 1e-5.
  std::optional<double> number(const std::string& key) const;
  std::optional<std::vector<std::string_view>> texts(const std::string& key) const;
  std::optional<std::vector<std::int64_t>> integers(const std::string& key) const;
  // Of floating-point kinds.
  std::optional<std::vector<double>> numbers(const std::string& key) const;

  const std::string& origin() const { return origin_; }

  // Throw a model_error of the file: for anything that is wrong with it, a key that it lacks, a value that isn't what
  // is `expected`.
  [[noreturn]] void fail(const std::string& what) const;
  [[noreturn]] void missing(const std::string& key) const;
  [[noreturn]] void refuse(const std::string& key, const std::string& expected) const;

 private:
  const GgufValue* find(const std::string& key, bool is_array, const char* expected) const;

  std::string origin_;
  std::unordered_map<std::string, GgufValue> values_;
};

}  // namespace strata::importer
