// SPDX-License-Identifier: Apache-2.0
#include "package/manifest.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "base/error.h"
#include "base/hash.h"
#include "base/json.h"
#include "encoding/encoding.h"

namespace strata::package {
namespace {

using Json = nlohmann::json;

constexpr std::int64_t kMaxInteger = std::int64_t{1} << 62;
constexpr std::int64_t kMaxArena = std::int64_t{1} << 46;
constexpr std::int64_t kArenaAlignment = 64;
constexpr std::array<std::string_view, 3> kKinds = {"input", "output", "state"};  // indexed by Parameter::Kind

// One list of fields per struct, for writing and for reading. An integer's least value stands beside it.
template <class Archive, class T>
void describe(Archive& archive, T& value) {
  if constexpr (std::is_same_v<std::remove_const_t<T>, Extent>) {
    archive("factor", value.factor, 1);
    archive("symbol", value.symbol);
  } else if constexpr (std::is_same_v<std::remove_const_t<T>, SymbolRange>) {
    archive("min", value.min, 0);
    archive("max", value.max, 0);
    archive("multiple", value.multiple, 1);
  } else if constexpr (std::is_same_v<std::remove_const_t<T>, Parameter>) {
    archive("name", value.name);
    archive("kind", value.kind);
    archive("dtype", value.dtype);
    archive("extents", value.extents);
    archive("layout", value.layout);
  } else if constexpr (std::is_same_v<std::remove_const_t<T>, Entry>) {
    archive("function", value.function);
    archive("symbol", value.symbol);
    archive("ranges", value.ranges);
    archive("parameters", value.parameters);
    archive("arena_bytes", value.arena_bytes, 0);
    archive("arena_lower_bound", value.arena_lower_bound, 0);
    archive("scratch_bytes", value.scratch_bytes, 0);
  } else if constexpr (std::is_same_v<std::remove_const_t<T>, Weight>) {
    archive("name", value.name);
    archive("dtype", value.dtype);
    archive("shape", value.shape);
    archive("layout", value.layout);
    archive("offset", value.offset, 0);
    archive("bytes", value.bytes, 0);
  } else {
    static_assert(std::is_same_v<std::remove_const_t<T>, Manifest>);
    archive("producer", value.producer);
    archive("model_name", value.model_name);
    archive("architecture", value.architecture);
    archive("model_type", value.model_type);
    archive("dtype", value.dtype);
    archive("parameters", value.parameters, 0);
    archive("weight_bytes", value.weight_bytes, 0);
    archive("layers", value.layers, 0);
    archive("hidden_size", value.hidden_size, 0);
    archive("heads", value.heads, 0);
    archive("kv_heads", value.kv_heads, 0);
    archive("head_dim", value.head_dim, 0);
    archive("intermediate_size", value.intermediate_size, 0);
    archive("vocab_size", value.vocab_size, 0);
    archive("max_context", value.max_context, 0);
    archive("machine", value.machine);
    archive("target", value.target);
    archive("features", value.features);
    archive("compiler", value.compiler);
    archive("options", value.options);
    archive.if_any("mesh", value.mesh);
    archive.if_any("rank", value.rank);
    archive("symbols", value.symbols);
    archive("symbol_ranges", value.symbol_ranges);
    archive("entries", value.entries);
    archive("weights", value.weights);
    archive("code", value.code);
  }
}

class Writer {
 public:
  template <class T>
  static Json json(const T& value) {
    if constexpr (std::is_same_v<T, DType>) {
      return dtype_name(value);
    } else if constexpr (std::is_same_v<T, Parameter::Kind>) {
      return kKinds[static_cast<std::size_t>(value)];
    } else if constexpr (std::is_constructible_v<Json, T>) {
      return value;
    } else {
      Writer writer;
      describe(writer, value);
      return std::move(writer.object_);
    }
  }
  template <class T>
  static Json json(const std::vector<T>& values) {
    Json array = Json::array();
    for (const T& value : values) array.push_back(json(value));
    return array;
  }
  template <class T>
  static Json json(const std::map<std::string, T>& values) {
    Json object = Json::object();
    for (const auto& [key, value] : values) object[key] = json(value);
    return object;
  }

  template <class T>
  void operator()(const char* key, const T& value, std::int64_t /*min*/ = 0) {
    object_[key] = json(value);
  }

  // Written where it isn't empty, or 0.
  template <class T>
  void if_any(const char* key, const T& value) {
    if (value != T{}) object_[key] = json(value);
  }

 private:
  Json object_ = Json::object();
};

// Every field must be there, and no other.
class Reader {
 public:
  Reader(const Json& value, const std::string& origin) : object_(value, origin), size_(value.size()) {}
  void finish() const {
    if (seen_ != size_) throw model_error("the package's manifest has unknown fields", object_.origin());
  }

  void operator()(const char* key, std::int64_t& value, std::int64_t min) {
    ++seen_;
    value = object_.integer(key, min, kMaxInteger);
  }
  template <class T>
  void operator()(const char* key, T& value) {
    ++seen_;
    read(object_.at(key), key, value);
  }
  template <class T>
  void if_any(const char* key, T& value) {
    if (object_.has(key)) (*this)(key, value);
  }
  void if_any(const char* key, std::int64_t& value) {
    if (object_.has(key)) (*this)(key, value, 1);
  }

 private:
  void read(const Json& json, const char* key, std::string& value) const {
    if (!json.is_string()) object_.refuse(key, "text");
    value = json.get<std::string>();
  }
  void read(const Json& json, const char* key, std::int64_t& value) const {
    if (!json.is_number_unsigned() || json.get<std::uint64_t>() > static_cast<std::uint64_t>(kMaxInteger)) {
      object_.refuse(key, "non-negative integers");
    }
    value = json.get<std::int64_t>();
  }
  void read(const Json& json, const char* key, DType& value) const {
    const auto dtype = json.is_string() ? parse_dtype(json.get<std::string>()) : std::nullopt;
    if (!dtype) object_.refuse(key, "a dtype");
    value = *dtype;
  }
  void read(const Json& json, const char* key, Parameter::Kind& value) const {
    const auto* at = std::find(kKinds.begin(), kKinds.end(), json.is_string() ? json.get<std::string>() : "");
    if (at == kKinds.end()) object_.refuse(key, "input, output or state");
    value = static_cast<Parameter::Kind>(at - kKinds.begin());
  }
  template <class T>
  void read(const Json& json, const char* key, std::vector<T>& values) const {
    if (!json.is_array()) object_.refuse(key, "a list");
    for (const Json& element : json) read(element, key, values.emplace_back());
  }
  template <class T>
  void read(const Json& json, const char* key, std::map<std::string, T>& values) const {
    if (!json.is_object()) object_.refuse(key, "an object");
    for (const auto& [name, element] : json.items()) read(element, key, values[name]);
  }
  template <class T>
  void read(const Json& json, const char* /*key*/, T& value) const {
    Reader reader(json, object_.origin());
    describe(reader, value);
    reader.finish();
  }

  JsonObject object_;
  std::size_t size_;
  std::size_t seen_ = 0;
};

// What the fields' types can't say.
class Checker {
 public:
  Checker(const Manifest& manifest, const std::string& origin) : manifest_(manifest), origin_(origin) {}

  void check() const {
    check_symbols();
    check_mesh();
    for (const Entry& entry : manifest_.entries) check(entry);
    std::set<std::string_view> names;
    for (const Weight& weight : manifest_.weights) {
      check(weight);
      require(names.insert(weight.name).second, "the weight \"" + weight.name + "\" is there twice");
    }
  }

 private:
  void require(bool condition, const std::string& what) const {
    if (!condition) throw model_error("the package's manifest is malformed: " + what, origin_, "compile it again");
  }

  void check_mesh() const {
    constexpr std::int64_t kMostRanks = 1 << 20;
    std::int64_t ranks = 1;
    for (const std::int64_t extent : manifest_.mesh) {
      require(extent > 1 && extent <= kMostRanks / ranks, "its mesh is none");
      ranks *= extent;
    }
    require(manifest_.rank < ranks, "its mesh has no rank " + std::to_string(manifest_.rank));
  }

  bool is_symbol(const std::string& name) const { return manifest_.symbol_ranges.contains(name); }

  void check(const std::string& name, const SymbolRange& range) const {
    require(range.min <= range.max, "the range of \"" + name + "\" is empty");
  }

  void check_symbols() const {
    for (const auto& [name, range] : manifest_.symbol_ranges) check(name, range);
    const std::set<std::string> listed(manifest_.symbols.begin(), manifest_.symbols.end());
    require(listed.size() == manifest_.symbols.size(), "a symbol is there twice");
    require(listed.size() == manifest_.symbol_ranges.size() &&
                std::all_of(listed.begin(), listed.end(),
                            [&](const auto& name) { return !name.empty() && is_symbol(name); }),
            "symbols and symbol_ranges differ");
  }

  static bool is_identifier(const std::string& text) {
    const auto is_word = [](char c) { return c == '_' || std::isalnum(static_cast<unsigned char>(c)) != 0; };
    return !text.empty() && std::isdigit(static_cast<unsigned char>(text[0])) == 0 &&
           std::all_of(text.begin(), text.end(), is_word);
  }

  void check(const Entry& entry) const {
    require(!entry.function.empty() && is_identifier(entry.symbol), "an entry's name is wrong");
    for (const auto& [name, range] : entry.ranges) {
      require(is_symbol(name), "the entry \"" + entry.symbol + "\" uses the unknown symbol \"" + name + "\"");
      check(name, range);
    }
    require(entry.arena_bytes <= kMaxArena && entry.arena_bytes % kArenaAlignment == 0 &&
                entry.arena_lower_bound <= entry.arena_bytes,
            "the arena of \"" + entry.symbol + "\" has a wrong size");
    require(entry.scratch_bytes <= kMaxArena && entry.scratch_bytes % kArenaAlignment == 0,
            "the scratch memory of \"" + entry.symbol + "\" has a wrong size");
    for (const Parameter& parameter : entry.parameters) check(parameter);
  }

  // Its bytes must be countable whatever values the symbols take.
  void check(const Parameter& parameter) const {
    std::int64_t bytes = dtype_size(parameter.dtype);
    for (const Extent& extent : parameter.extents) {
      require(extent.symbol.empty() || is_symbol(extent.symbol),
              "the parameter \"" + parameter.name + "\" uses the unknown symbol \"" + extent.symbol + "\"");
      const std::int64_t most =
          extent.symbol.empty() ? 1 : std::max<std::int64_t>(manifest_.symbol_ranges.at(extent.symbol).max, 1);
      const bool overflows =
          __builtin_mul_overflow(bytes, extent.factor, &bytes) || __builtin_mul_overflow(bytes, most, &bytes);
      require(!overflows, "the parameter \"" + parameter.name + "\" is too large");
    }
  }

  // A layout may pad, never drop; an encoded one takes fewer bits.
  void check(const Weight& weight) const {
    const encoding::Encoding* const encoding = encoding::parse_layout(weight.layout).encoding;
    require(encoding != nullptr || !encoding::names_encoding(weight.layout),
            "the weight \"" + weight.name + "\" lies as " + weight.layout + ", an encoding that isn't known");
    std::int64_t bits = encoding != nullptr ? encoding->panels.bits() : dtype_size(weight.dtype) * 8;
    bool overflows = false;
    for (const std::int64_t extent : weight.shape) overflows |= __builtin_mul_overflow(bits, extent, &bits);
    require(!overflows && bits / 8 <= weight.bytes,
            "the weight \"" + weight.name + "\" has fewer bytes than its shape needs");
  }

  const Manifest& manifest_;
  const std::string& origin_;
};

}  // namespace

// A folder's name need not be UTF-8.
std::string to_json(const Manifest& manifest) {
  return Writer::json(manifest).dump(1, ' ', false, Json::error_handler_t::replace);
}

std::string contract_of(Manifest manifest) {
  manifest.code.clear();
  return hash128(to_json(manifest)).hex();
}

std::string code_digest(std::span<const std::byte> code) { return code.empty() ? "" : hash128(code).hex(); }

Manifest manifest_from_json(std::string_view json, const std::string& origin) {
  const Json document = parse_json(json, origin);
  Manifest manifest;
  Reader reader(document, origin);
  describe(reader, manifest);
  reader.finish();
  Checker(manifest, origin).check();
  return manifest;
}

}  // namespace strata::package
