// SPDX-License-Identifier: Apache-2.0
#include "import/safetensors.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "base/error.h"
#include "base/file_kind.h"

namespace strata::importer {
namespace {

using Json = nlohmann::json;

constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;
constexpr std::size_t kMaxRank = 64;
constexpr std::string_view kRemedy = "download or convert the file again";

Error damaged(const std::string& what, const std::string& origin) {
  return model_error(what, origin, std::string(kRemedy));
}

struct FormatDType {
  std::string_view name;
  std::uint64_t bits;
  std::optional<DType> dtype;
};

constexpr std::array<FormatDType, 22> kDTypes = {{
    {"F32", 32, DType::kF32},     {"F16", 16, DType::kF16},         {"BF16", 16, DType::kBF16},
    {"I8", 8, DType::kI8},        {"I32", 32, DType::kI32},         {"I64", 64, DType::kI64},
    {"U8", 8, DType::kU8},        {"BOOL", 8, DType::kBool},        {"F64", 64, std::nullopt},
    {"I16", 16, std::nullopt},    {"U16", 16, std::nullopt},        {"U32", 32, std::nullopt},
    {"U64", 64, std::nullopt},    {"F8_E4M3", 8, std::nullopt},     {"F8_E5M2", 8, std::nullopt},
    {"F8_E8M0", 8, std::nullopt}, {"F8_E4M3FNUZ", 8, std::nullopt}, {"F8_E5M2FNUZ", 8, std::nullopt},
    {"C64", 64, std::nullopt},    {"F6_E2M3", 6, std::nullopt},     {"F6_E3M2", 6, std::nullopt},
    {"F4", 4, std::nullopt},
}};

// Fills the entries from the parser's events, so that a header of a hundred thousand tensors needs no document in
// memory. The header has a fixed shape, {name: {dtype, shape: [...], data_offsets: [...]}}; whatever else appears is
// refused where it appears, which also bounds the depth.
class HeaderReader : public nlohmann::json_sax<Json> {
 public:
  explicit HeaderReader(std::vector<SafetensorsEntry>& entries) : entries_(entries) {}

  bool null() override { return unexpected("null"); }
  bool boolean(bool) override { return unexpected("a boolean"); }
  bool number_integer(number_integer_t value) override {
    return fail(subject() + " holds the negative number " + std::to_string(value));
  }
  bool number_float(number_float_t, const string_t& text) override { return unexpected("the number " + text); }
  bool binary(binary_t&) override { return unexpected("binary data"); }

  bool number_unsigned(number_unsigned_t value) override {
    if (level_ != Level::kArray) return unexpected("a number");
    if (field_ == Field::kShape) {
      if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
        return unexpected("a number that is too large");
      if (entry_.shape.size() == kMaxRank) return fail(subject() + " has too many dimensions");
      entry_.shape.push_back(static_cast<std::int64_t>(value));
      return true;
    }
    if (offset_count_ == 2) return fail(subject() + " has more than two data_offsets");
    (offset_count_++ == 0 ? entry_.begin : entry_.end) = value;
    return true;
  }

  bool string(string_t& value) override {
    if (level_ == Level::kMetadata) return true;
    if (level_ != Level::kTensor || field_ != Field::kDType) return unexpected("a string");
    const auto* known =
        std::find_if(kDTypes.begin(), kDTypes.end(), [&](const auto& row) { return row.name == value; });
    if (known == kDTypes.end()) return fail(subject() + " has the unknown dtype " + in_quotes(value));
    entry_.dtype_name = known->name;
    entry_.dtype = known->dtype;
    return true;
  }

  bool start_object(std::size_t) override {
    if (level_ == Level::kOutside) {
      level_ = Level::kTop;
      return true;
    }
    if (level_ != Level::kTop) return unexpected("an object");
    level_ = in_metadata_ ? Level::kMetadata : Level::kTensor;
    return true;
  }

  bool end_object() override {
    if (level_ == Level::kTensor) {
      if (!finish_tensor()) return false;
      level_ = Level::kTop;
    } else {
      level_ = level_ == Level::kMetadata ? Level::kTop : Level::kOutside;
    }
    return true;
  }

  bool start_array(std::size_t) override {
    if (level_ != Level::kTensor || field_ == Field::kDType) return unexpected("an array");
    level_ = Level::kArray;
    return true;
  }

  bool end_array() override {
    level_ = Level::kTensor;
    return true;
  }

  bool key(string_t& name) override {
    if (level_ == Level::kTensor) return field(name);
    if (level_ == Level::kMetadata) {
      return metadata_keys_.insert(name).second || fail("the key " + in_quotes(name) + " is twice in __metadata__");
    }
    if (!names_.insert(name).second) return fail("the tensor " + in_quotes(name) + " is there twice");
    in_metadata_ = name == "__metadata__";
    entry_ = {};
    entry_.name = name;
    offset_count_ = 0;
    seen_ = {};
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    return fail("the header is not valid JSON at byte " + std::to_string(position));
  }

  const std::string& error() const { return error_; }

 private:
  enum class Level { kOutside, kTop, kMetadata, kTensor, kArray };
  enum class Field { kDType, kShape, kOffsets };

  bool fail(const std::string& message) {
    error_ = message;
    return false;
  }
  bool unexpected(const std::string& what) { return fail(subject() + " holds " + what + " where it must not"); }
  std::string subject() const {
    if (level_ == Level::kOutside || entry_.name.empty()) return "the header";
    return (in_metadata_ ? "" : "the tensor ") + in_quotes(entry_.name);
  }

  bool field(const std::string& name) {
    constexpr std::array<std::string_view, 3> kFields = {"dtype", "shape", "data_offsets"};
    const auto* at = std::find(kFields.begin(), kFields.end(), name);
    if (at == kFields.end()) return fail(subject() + " has the unknown field " + in_quotes(name));
    const auto index = static_cast<std::size_t>(at - kFields.begin());
    if (seen_[index]) return fail(subject() + " has " + in_quotes(name) + " twice");
    seen_[index] = true;
    field_ = static_cast<Field>(index);
    return true;
  }

  bool finish_tensor() {
    if (!seen_[0]) return fail(subject() + " has no dtype");
    if (!seen_[1]) return fail(subject() + " has no shape");
    if (offset_count_ != 2) return fail(subject() + " has no pair of data_offsets");
    entries_.push_back(std::move(entry_));
    entry_ = {};
    return true;
  }

  std::vector<SafetensorsEntry>& entries_;
  std::unordered_set<std::string> names_;
  std::unordered_set<std::string> metadata_keys_;
  SafetensorsEntry entry_;
  int offset_count_ = 0;
  std::array<bool, 3> seen_{};
  Level level_ = Level::kOutside;
  Field field_ = Field::kDType;
  bool in_metadata_ = false;
  std::string error_;
};

// The bytes of shape x dtype; nullopt when they overflow or aren't whole.
std::optional<std::uint64_t> tensor_bytes(const SafetensorsEntry& entry) {
  const auto* row =
      std::find_if(kDTypes.begin(), kDTypes.end(), [&](const auto& r) { return r.name == entry.dtype_name; });
  std::uint64_t bits = row->bits;
  for (const std::int64_t extent : entry.shape) {
    if (__builtin_mul_overflow(bits, static_cast<std::uint64_t>(extent), &bits)) return std::nullopt;
  }
  if (bits % 8 != 0) return std::nullopt;
  return bits / 8;
}

void check_extents(const SafetensorsEntry& entry, std::uint64_t data_bytes, const std::string& origin) {
  const std::string subject = "the tensor " + in_quotes(entry.name);
  if (entry.begin > entry.end) throw damaged(subject + " ends before it begins", origin);
  if (entry.end > data_bytes) {
    throw damaged(subject + " ends at byte " + std::to_string(entry.end) + " of only " + std::to_string(data_bytes),
                  origin);
  }
  const auto bytes = tensor_bytes(entry);
  if (!bytes) throw damaged("the shape of " + subject + " is too large, or not of whole bytes", origin);
  if (*bytes != entry.end - entry.begin) {
    throw damaged(subject + " needs " + std::to_string(*bytes) + " bytes for its shape, but has " +
                      std::to_string(entry.end - entry.begin),
                  origin);
  }
}

// Sorts by position and checks that the tensors cover the data exactly.
void check_layout(std::vector<SafetensorsEntry>& entries, std::uint64_t data_bytes, const std::string& origin) {
  for (const SafetensorsEntry& entry : entries) check_extents(entry, data_bytes, origin);
  std::sort(entries.begin(), entries.end(),
            [](const auto& a, const auto& b) { return a.begin != b.begin ? a.begin < b.begin : a.end < b.end; });
  std::uint64_t at = 0;
  for (const SafetensorsEntry& entry : entries) {
    if (entry.begin < at) throw damaged("the tensor " + in_quotes(entry.name) + " overlaps another one", origin);
    if (entry.begin > at) throw damaged("there is a hole before the tensor " + in_quotes(entry.name), origin);
    at = entry.end;
  }
  if (at != data_bytes) {
    throw damaged(std::to_string(data_bytes - at) + " bytes at the end belong to no tensor", origin);
  }
}

Error not_safetensors(std::span<const std::byte> file, const std::string& what, const std::string& origin) {
  const FileKind* kind = find_file_kind(file);
  if (kind == nullptr) return damaged(what, origin);
  return model_error("not a safetensors file but " + std::string(kind->name), origin, std::string(kind->remedy));
}

// The header's text, its length checked against the format's limit and the file.
std::string_view header_text(std::span<const std::byte> file, const std::string& origin) {
  std::uint64_t length = 0;
  if (file.size() < sizeof(length)) throw damaged("too short to be a safetensors file", origin);
  std::memcpy(&length, file.data(), sizeof(length));
  if (length > kMaxHeaderBytes) {
    throw not_safetensors(file, "not a safetensors file, or damaged: a header of " + std::to_string(length) + " bytes",
                          origin);
  }
  if (length > file.size() - sizeof(length)) throw damaged("the file ends within its header", origin);
  const auto* text = reinterpret_cast<const char*>(file.data() + sizeof(length));
  if (length == 0 || text[0] != '{') throw damaged("not a safetensors file: its header is not a JSON object", origin);
  return {text, static_cast<std::size_t>(length)};
}

}  // namespace

SafetensorsHeader parse_safetensors(std::span<const std::byte> file, const std::string& origin) {
  const std::string_view text = header_text(file, origin);
  SafetensorsHeader header;
  header.data_offset = sizeof(std::uint64_t) + text.size();
  HeaderReader reader(header.entries);
  if (!Json::sax_parse(text.begin(), text.end(), &reader)) throw damaged(reader.error(), origin);
  check_layout(header.entries, file.size() - header.data_offset, origin);
  return header;
}

SafetensorsFile SafetensorsFile::open(const std::filesystem::path& path) {
  SafetensorsFile result;
  result.file_ = MappedFile::open(path);
  result.header_ = parse_safetensors(result.file_.bytes(), path.string());
  result.by_name_.reserve(result.header_.entries.size());
  for (std::size_t i = 0; i < result.header_.entries.size(); ++i) {
    result.by_name_.emplace(result.header_.entries[i].name, i);
  }
  return result;
}

const SafetensorsEntry* SafetensorsFile::find(std::string_view name) const {
  const auto at = by_name_.find(name);
  return at == by_name_.end() ? nullptr : &header_.entries[at->second];
}

std::span<const std::byte> SafetensorsFile::bytes(const SafetensorsEntry& entry) const {
  return file_.bytes().subspan(header_.data_offset + entry.begin, entry.end - entry.begin);
}

}  // namespace strata::importer
