// SPDX-License-Identifier: Apache-2.0
#include "import/gguf.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <string_view>
#include <unordered_set>

#include "base/error.h"
#include "base/text_file.h"

namespace strata::importer {
namespace {

constexpr std::string_view kMagic = "GGUF";
constexpr const char* kAlignmentKey = "general.alignment";
constexpr std::uint64_t kDefaultAlignment = 32;
constexpr std::uint64_t kMaxAlignment = std::uint64_t{1} << 30;
constexpr std::uint32_t kMostDimensions = 4;
constexpr std::uint64_t kMaxKeyBytes = 65535;

// Reads a file from its beginning; every read is checked against its end.
class Reader {
 public:
  Reader(std::span<const std::byte> file, const std::string& origin) : file_(file), origin_(origin) {}

  [[noreturn]] void fail(const std::string& what) const {
    throw model_error(what, origin_, "download or convert the file again");
  }

  std::span<const std::byte> take(std::uint64_t count, const std::string& where) {
    if (count > file_.size() - at_) fail("the file ends within " + where);
    const auto bytes = file_.subspan(at_, static_cast<std::size_t>(count));
    at_ += bytes.size();
    return bytes;
  }

  template <class T>
  T number(const std::string& where) {
    T value{};
    std::memcpy(&value, take(sizeof(T), where).data(), sizeof(T));
    return value;
  }

  std::string_view string(const std::string& where) {
    const auto length = number<std::uint64_t>(where);
    const auto bytes = take(length, where);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  std::size_t position() const { return at_; }
  std::span<const std::byte> since(std::size_t begin) const { return file_.subspan(begin, at_ - begin); }
  std::span<const std::byte> file() const { return file_; }

 private:
  std::span<const std::byte> file_;
  const std::string& origin_;
  std::size_t at_ = 0;
};

GgufKind read_kind(Reader& reader, const std::string& where) {
  const auto number = reader.number<std::uint32_t>(where);
  if (number > static_cast<std::uint32_t>(GgufKind::kF64)) {
    reader.fail(where + " has the unknown kind " + std::to_string(number));
  }
  return static_cast<GgufKind>(number);
}

// Constant stack: arrays of arrays, which no model has, are refused.
GgufValue read_value(Reader& reader, const std::string& where) {
  GgufValue value;
  value.kind = read_kind(reader, where);
  if (value.kind == GgufKind::kArray) {
    value.is_array = true;
    value.kind = read_kind(reader, where);
    value.count = reader.number<std::uint64_t>(where);
    if (value.kind == GgufKind::kArray) reader.fail(where + " is an array of arrays");
  }
  const std::size_t begin = reader.position();
  if (value.kind == GgufKind::kString) {
    for (std::uint64_t i = 0; i < value.count; ++i) reader.string(where);
  } else {
    std::uint64_t bytes = 0;
    const bool overflows = __builtin_mul_overflow(value.count, std::uint64_t{kind_size(value.kind)}, &bytes);
    reader.take(overflows ? std::numeric_limits<std::uint64_t>::max() : bytes, where);
  }
  value.bytes = reader.since(begin);
  const auto is_bool = [](std::byte byte) { return byte <= std::byte{1}; };
  if (value.kind == GgufKind::kBool && !std::ranges::all_of(value.bytes, is_bool)) {
    reader.fail(where + " is neither true nor false");
  }
  return value;
}

void read_metadata(Reader& reader, std::uint64_t count, GgufMetadata& metadata) {
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::string_view key = reader.string("key " + std::to_string(i) + " of its metadata");
    if (key.empty() || key.size() > kMaxKeyBytes) {
      reader.fail("key " + std::to_string(i) + " of its metadata has " + std::to_string(key.size()) + " bytes");
    }
    if (!metadata.insert(key, read_value(reader, "the value of " + in_quotes(key)))) {
      reader.fail("the key " + in_quotes(key) + " is there twice");
    }
  }
}

std::uint64_t read_alignment(const Reader& reader, const GgufMetadata& metadata) {
  const std::int64_t alignment = metadata.integer(kAlignmentKey).value_or(kDefaultAlignment);
  const auto bytes = static_cast<std::uint64_t>(alignment);
  if (alignment <= 0 || bytes > kMaxAlignment || (bytes & (bytes - 1)) != 0) {
    reader.fail("the value of " + in_quotes(kAlignmentKey) + ", " + std::to_string(alignment) +
                ", is not a power of two up to " + std::to_string(kMaxAlignment));
  }
  return bytes;
}

struct Placed {
  GgufTensor tensor;
  std::uint64_t begin = 0, bytes = 0;  // of the data section
};

// Innermost axis first. Their product, and each, fits in an int64.
std::vector<std::int64_t> read_shape(Reader& reader, const std::string& where) {
  const auto rank = reader.number<std::uint32_t>(where);
  if (rank == 0 || rank > kMostDimensions) {
    reader.fail(where + " has " + std::to_string(rank) + " dimensions, not 1 to " + std::to_string(kMostDimensions));
  }
  std::vector<std::int64_t> shape;
  std::int64_t elements = 1;
  for (std::uint32_t i = 0; i < rank; ++i) {
    const auto extent = reader.number<std::uint64_t>(where);
    if (extent == 0) reader.fail(where + " has no elements");
    if (__builtin_mul_overflow(elements, extent, &elements)) reader.fail("the shape of " + where + " is too large");
    shape.push_back(static_cast<std::int64_t>(extent));
  }
  return shape;
}

std::uint64_t tensor_bytes(const Reader& reader, const std::vector<std::int64_t>& shape, const GgufType& type,
                           const std::string& where) {
  if (shape[0] % type.elements != 0) {
    reader.fail(where + " has rows of " + std::to_string(shape[0]) + " elements, which are no whole blocks of " +
                std::string(type.name));
  }
  std::uint64_t bytes = static_cast<std::uint64_t>(shape[0] / type.elements);
  bool overflows = __builtin_mul_overflow(bytes, static_cast<std::uint64_t>(type.bytes), &bytes);
  for (std::size_t axis = 1; axis < shape.size(); ++axis) {
    overflows |= __builtin_mul_overflow(bytes, static_cast<std::uint64_t>(shape[axis]), &bytes);
  }
  if (overflows) reader.fail("the shape of " + where + " is too large");
  return bytes;
}

Placed read_tensor(Reader& reader, std::uint64_t number, std::uint64_t alignment) {
  Placed placed;
  placed.tensor.name = reader.string("the name of tensor " + std::to_string(number));
  const std::string where = "the tensor " + in_quotes(placed.tensor.name);
  placed.tensor.shape = read_shape(reader, where);
  const auto id = reader.number<std::uint32_t>(where);
  placed.tensor.type = find_gguf_type(id);
  if (placed.tensor.type == nullptr) reader.fail(where + " has the unknown type " + std::to_string(id));
  placed.bytes = tensor_bytes(reader, placed.tensor.shape, *placed.tensor.type, where);
  placed.begin = reader.number<std::uint64_t>(where);
  if (placed.begin % alignment != 0) {
    reader.fail(where + " begins at byte " + std::to_string(placed.begin) + ", no multiple of " +
                std::to_string(alignment));
  }
  std::ranges::reverse(placed.tensor.shape);
  return placed;
}

// Sorts by position; each must lie in the data, behind the one before.
std::vector<GgufTensor> place(const Reader& reader, std::vector<Placed> placed, std::span<const std::byte> data) {
  std::ranges::sort(placed, [](const Placed& a, const Placed& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.tensor.name < b.tensor.name;
  });
  std::vector<GgufTensor> tensors;
  std::uint64_t end = 0;
  for (Placed& next : placed) {
    const std::string subject = "the tensor " + in_quotes(next.tensor.name);
    if (next.begin < end) reader.fail(subject + " overlaps another one");
    if (next.begin > data.size() || next.bytes > data.size() - next.begin) {
      reader.fail(subject + " lies outside of the file, which has " + std::to_string(data.size()) +
                  " bytes for tensors");
    }
    next.tensor.bytes = data.subspan(next.begin, next.bytes);
    end = next.begin + next.bytes;
    tensors.push_back(std::move(next.tensor));
  }
  return tensors;
}

void check_version(const Reader& reader, std::uint32_t version, const std::string& origin) {
  if (version == 2 || version == 3) return;
  if ((version & 0xFFFFU) == 0 && version != 0) {
    throw model_error("a GGUF file for big-endian machines", origin, "convert it for little-endian ones");
  }
  if (version == 1) {
    throw model_error("unsupported GGUF version 1", origin, "supported: 2, 3; convert the model again");
  }
  reader.fail("unsupported GGUF version " + std::to_string(version) + "; supported: 2, 3");
}

}  // namespace

GgufContents parse_gguf(std::span<const std::byte> file, const std::string& origin) {
  Reader reader(file, origin);
  const auto magic = reader.take(std::min(kMagic.size(), file.size()), "its first bytes");
  if (std::string_view(reinterpret_cast<const char*>(magic.data()), magic.size()) != kMagic) {
    reader.fail("not a GGUF file");
  }
  check_version(reader, reader.number<std::uint32_t>("its header"), origin);
  const auto tensors = reader.number<std::uint64_t>("its header");
  const auto keys = reader.number<std::uint64_t>("its header");
  GgufContents contents{GgufMetadata(origin), {}};
  read_metadata(reader, keys, contents.metadata);
  const std::uint64_t alignment = read_alignment(reader, contents.metadata);
  std::vector<Placed> placed;
  std::unordered_set<std::string> names;
  for (std::uint64_t i = 0; i < tensors; ++i) {
    placed.push_back(read_tensor(reader, i, alignment));
    const std::string& name = placed.back().tensor.name;
    if (!names.insert(name).second) reader.fail("the tensor " + in_quotes(name) + " is there twice");
  }
  if (placed.empty()) return contents;
  const std::uint64_t data = (reader.position() + alignment - 1) / alignment * alignment;
  if (data > file.size()) reader.fail("the file ends before its tensors");
  contents.tensors = place(reader, std::move(placed), file.subspan(data));
  return contents;
}

bool is_gguf(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::is_regular_file(path, ignored) && read_head(path, kMagic.size()) == kMagic;
}

}  // namespace strata::importer
